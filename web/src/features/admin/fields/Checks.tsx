import { type ReactNode, useId } from "react"
import styles from "./fields.module.css"

interface Choice<Value> {
  readonly value: Value
  readonly label: string
}

interface Props<Value> {
  readonly legend: string
  readonly name: string
  readonly choices: readonly Choice<Value>[]
  readonly chosen: readonly Value[]
  readonly onChange: (chosen: Value[]) => void
  /** Whether one has to be chosen; the browser says so. */
  readonly required?: boolean
  readonly hint?: string
  /** What has to be mended, if anything. */
  readonly problem?: string | undefined
  readonly children?: ReactNode
}

/** Some of several things, in their order. */
export function Checks<Value extends string | number>(props: Props<Value>) {
  const { legend, name, choices, chosen, onChange, required = false, hint, problem, children } = props
  const id = useId()
  return (
    <fieldset className={styles["checks"]}>
      <legend>{legend}</legend>
      {hint && <p className={styles["hint"]}>{hint}</p>}
      {children}
      <div className={styles["choices"]}>
        {choices.map(({ value, label }) => (
          <label key={value}>
            <input
              type="checkbox"
              name={name}
              required={required && chosen.length === 0}
              aria-invalid={problem ? true : undefined}
              aria-describedby={problem ? id : undefined}
              checked={chosen.includes(value)}
              onChange={event =>
                onChange(
                  choices
                    .map(choice => choice.value)
                    .filter(each => (each === value ? event.target.checked : chosen.includes(each))),
                )
              }
            />
            {label}
          </label>
        ))}
      </div>
      {problem && (
        <p id={id} className={styles["problem"]}>
          {problem}
        </p>
      )}
    </fieldset>
  )
}

interface CheckProps {
  readonly label: string
  readonly name: string
  readonly hint?: string
  readonly checked: boolean
  readonly onChange: (checked: boolean) => void
}

/** Yes or no. */
export function Check({ label, name, hint, checked, onChange }: CheckProps) {
  return (
    <div className={styles["check"]}>
      <label>
        <input type="checkbox" name={name} checked={checked} onChange={event => onChange(event.target.checked)} />
        {label}
      </label>
      {hint && <p className={styles["hint"]}>{hint}</p>}
    </div>
  )
}
