import type { Rule, RuleDraft } from "../../api/setup"
import { Field } from "../../ui/Field"
import { Select } from "../../ui/Select"
import { staff } from "../../words/staff"
import { Checks } from "./fields/Checks"
import styles from "./fields/fields.module.css"
import { Money } from "./fields/Money"
import type { Drafting } from "./Listing"

const says = staff.prices

/** The form of a price rule. */
export function RuleFields({ club, draft, set, problem }: Drafting<Rule, RuleDraft>) {
  const place = draft.indoor === null || draft.indoor === undefined ? "any" : draft.indoor ? "indoor" : "outdoor"
  return (
    <>
      <Field
        label={says.name}
        hint={says.nameHint}
        name="name"
        required
        maxLength={200}
        autoComplete="off"
        value={draft.name}
        problem={problem("name")}
        onChange={event => set({ name: event.target.value })}
      />
      <Select
        label={says.effect}
        value={draft.effect}
        onChange={event => set({ effect: event.target.value as RuleDraft["effect"], value: 0 })}
      >
        {Object.entries(says.effects).map(([effect, name]) => (
          <option key={effect} value={effect}>
            {name}
          </option>
        ))}
      </Select>
      {draft.effect === "percent" ? (
        <Field
          label={says.percent}
          name="value"
          type="number"
          required
          step={0.01}
          defaultValue={draft.value}
          problem={problem("value")}
          onChange={event => set({ value: Number(event.target.value) })}
        />
      ) : (
        <Money
          key={draft.effect}
          label={says.value}
          name="value"
          currency={club.currency}
          value={draft.value}
          problem={problem("value")}
          onChange={value => set({ value })}
        />
      )}
      <Select
        label={says.place}
        value={place}
        onChange={event => set({ indoor: event.target.value === "any" ? null : event.target.value === "indoor" })}
      >
        {Object.entries(says.places).map(([each, name]) => (
          <option key={each} value={each}>
            {name}
          </option>
        ))}
      </Select>
      <Checks
        legend={says.weekdays}
        name="weekdays"
        choices={staff.hours.weekdays.map((label, value) => ({ value, label }))}
        chosen={draft.weekdays ?? []}
        onChange={weekdays => set({ weekdays })}
      />
      <div className={styles["few"]}>
        {(["from_time", "to_time"] as const).map(end => (
          <Field
            key={end}
            label={end === "from_time" ? says.from : says.until}
            name={end}
            type="time"
            value={draft[end] === "24:00" ? "00:00" : (draft[end] ?? "")}
            problem={problem(end)}
            onChange={event => set({ [end]: event.target.value || null })}
          />
        ))}
      </div>
      <Field
        label={says.priority}
        name="priority"
        type="number"
        required
        defaultValue={draft.priority}
        problem={problem("priority")}
        onChange={event => set({ priority: Number(event.target.value) })}
      />
    </>
  )
}
