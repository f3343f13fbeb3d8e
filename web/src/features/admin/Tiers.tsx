import { Button } from "../../ui/Button"
import { Field } from "../../ui/Field"
import type { ProblemOf } from "../../ui/Form"
import { staff } from "../../words/staff"
import styles from "./fields/fields.module.css"
import type { Tier } from "./rules"

const says = staff.rules

interface Props {
  readonly tiers: readonly Tier[]
  readonly onChange: (tiers: Tier[]) => void
  readonly problem: ProblemOf
}

/** What is different for the members of a tier. */
export function Tiers({ tiers, onChange, problem }: Props) {
  const put = (index: number, changes: Partial<Tier>) =>
    onChange(tiers.map((tier, at) => (at === index ? { ...tier, ...changes } : tier)))
  return (
    <>
      <p>{says.hints.tiers}</p>
      {tiers.map((tier, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: its name is what is being typed
        <fieldset key={index} className={styles["checks"]}>
          <legend>{tier.tier || says.tier}</legend>
          <div className={styles["few"]}>
            <Field
              label={says.tier}
              aria-label={says.tierOf(index + 1)}
              name={`tier ${index}`}
              required
              maxLength={50}
              autoComplete="off"
              value={tier.tier}
              problem={problem(`tier ${index}`)}
              onChange={event => put(index, { tier: event.target.value })}
            />
            <Field
              label={says.days}
              aria-label={says.daysOf(tier.tier)}
              name={`policy.tier_horizon_days.${tier.tier}`}
              type="number"
              min={0}
              max={731}
              value={tier.days ?? ""}
              problem={problem(`policy.tier_horizon_days.${tier.tier}`)}
              onChange={event => put(index, { days: numberOf(event.target.value) })}
            />
            <Field
              label={says.priority}
              aria-label={says.priorityOf(tier.tier)}
              name={`policy.tier_priority.${tier.tier}`}
              type="number"
              step={1}
              value={tier.priority ?? ""}
              problem={problem(`policy.tier_priority.${tier.tier}`)}
              onChange={event => put(index, { priority: numberOf(event.target.value) })}
            />
          </div>
          <Button
            aria-label={says.removeTier(tier.tier)}
            onClick={() => onChange(tiers.filter((_, at) => at !== index))}
          >
            {staff.line.remove}
          </Button>
        </fieldset>
      ))}
      <p>
        <Button onClick={() => onChange([...tiers, { tier: "", days: null, priority: null }])}>{says.addTier}</Button>
      </p>
    </>
  )
}

function numberOf(text: string): number | null {
  return text === "" ? null : Number(text)
}
