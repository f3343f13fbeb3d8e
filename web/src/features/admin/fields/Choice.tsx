import { Select } from "../../../ui/Select"

interface Props<Value extends string> {
  readonly label: string
  readonly hint?: string
  readonly name?: string
  readonly problem?: string | undefined
  readonly value: Value
  /** Value → how it is called. */
  readonly choices: Readonly<Record<Value, string>>
  readonly onChange: (value: Value) => void
}

/** One of a few values. */
export function Choice<Value extends string>({ choices, onChange, ...select }: Props<Value>) {
  return (
    <Select {...select} onChange={event => onChange(event.target.value as Value)}>
      {Object.entries<string>(choices).map(([each, name]) => (
        <option key={each} value={each}>
          {name}
        </option>
      ))}
    </Select>
  )
}
