import { Field } from "../../ui/Field"
import type { ProblemOf } from "../../ui/Form"
import { staff } from "../../words/staff"
import { Check } from "./fields/Checks"
import { Choice } from "./fields/Choice"
import { Lasting } from "./fields/Lasting"
import { Week } from "./fields/Week"
import { isLimit, isNumber, isYes, LIMITS, NUMBERS, nameOf, type Rule, type RulesDraft } from "./rules"
import { Tiers } from "./Tiers"

const says = staff.rules

interface Props {
  readonly rule: Rule
  readonly draft: RulesDraft
  readonly set: (changes: Partial<RulesDraft>) => void
  readonly problem: ProblemOf
}

/** The field of one rule, with what the rule does. */
export function RuleField({ rule, draft, set, problem }: Props) {
  const name = nameOf(rule)
  const common = { label: says.labels[rule], name, problem: problem(name) }
  const hint = says.hints[rule]
  if (isNumber(rule) || isLimit(rule)) {
    const { min, max, of } = isNumber(rule) ? NUMBERS[rule] : LIMITS[rule]
    const bounds = { min, max, required: isNumber(rule) }
    const change = (value: number | null) => set({ [rule]: value ?? (isLimit(rule) ? null : 0) })
    if (of === "minutes") {
      return <Lasting {...common} {...bounds} hint={hint} minutes={draft[rule]} onChange={change} />
    }
    return (
      <Field
        {...common}
        {...bounds}
        hint={hint}
        type="number"
        defaultValue={draft[rule] ?? ""}
        onChange={({ target }) => change(target.value === "" ? null : Number(target.value))}
      />
    )
  }
  if (isYes(rule)) {
    return <Check {...common} hint={hint} checked={draft[rule]} onChange={checked => set({ [rule]: checked })} />
  }
  switch (rule) {
    case "grid_visibility":
      return (
        <Choice
          {...common}
          hint={hint}
          value={draft.grid_visibility}
          choices={says.visibilities}
          onChange={grid_visibility => set({ grid_visibility })}
        />
      )
    case "stacking":
      return (
        <Choice
          {...common}
          hint={hint}
          value={draft.stacking}
          choices={says.stackings}
          onChange={stacking => set({ stacking })}
        />
      )
    case "prime_windows":
      return (
        <>
          <h3>{common.label}</h3>
          <p>{hint}</p>
          <Week
            name={name}
            week={draft.prime_windows}
            onChange={prime_windows => set({ prime_windows })}
            problem={problem}
            none={says.noPrime}
          />
        </>
      )
    case "tiers":
      return <Tiers tiers={draft.tiers} onChange={tiers => set({ tiers })} problem={problem} />
    case "name":
    case "horizon_release":
      return (
        <Field
          {...common}
          hint={hint}
          type={rule === "name" ? "text" : "time"}
          required
          maxLength={200}
          autoComplete="off"
          value={draft[rule]}
          onChange={event => set({ [rule]: event.target.value })}
        />
      )
  }
}
