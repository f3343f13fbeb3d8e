import { Select } from "../../../ui/Select"

interface Props<Value extends string> {
  readonly label: string
  readonly value: Value
  /** Value → how it is called. */
  readonly choices: Readonly<Record<Value, string>>
  readonly onChange: (value: Value) => void
}

/** One of a few values. */
export function Choice<Value extends string>({ label, value, choices, onChange }: Props<Value>) {
  return (
    <Select label={label} value={value} onChange={event => onChange(event.target.value as Value)}>
      {Object.entries<string>(choices).map(([each, name]) => (
        <option key={each} value={each}>
          {name}
        </option>
      ))}
    </Select>
  )
}
