import type { Rule, RuleDraft } from "../../api/setup"
import { Field } from "../../ui/Field"
import { staff } from "../../words/staff"
import { Checks } from "./fields/Checks"
import { Choice } from "./fields/Choice"
import styles from "./fields/fields.module.css"
import { Money } from "./fields/Money"
import { Name } from "./fields/Name"
import type { Drafting } from "./Listing"

const says = staff.prices

/** The form of a price rule. */
export function RuleFields({ club, draft, set, problem }: Drafting<Rule, RuleDraft>) {
  const place = draft.indoor === null || draft.indoor === undefined ? "any" : draft.indoor ? "indoor" : "outdoor"
  return (
    <>
      <Name label={says.name} hint={says.nameHint} draft={draft} set={set} problem={problem} />
      <Choice
        label={says.effect}
        value={draft.effect}
        choices={says.effects}
        onChange={effect => set({ effect, value: 0 })}
      />
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
      <Choice
        label={says.place}
        value={place}
        choices={says.places}
        onChange={next => set({ indoor: next === "any" ? null : next === "indoor" })}
      />
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
