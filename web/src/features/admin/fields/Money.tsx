import { useState } from "react"
import { Field } from "../../../ui/Field"
import { minorDigits } from "../../../words/format"

interface Props {
  readonly label: string
  readonly name: string
  readonly currency: string
  /** In minor units. */
  readonly value: number
  readonly problem: string | undefined
  readonly onChange: (minor: number) => void
}

/** An amount, written as people do and kept in minor units. */
export function Money({ label, name, currency, value, problem, onChange }: Props) {
  const digits = minorDigits(currency)
  const [text, setText] = useState(() => (value / 10 ** digits).toFixed(digits))
  return (
    <Field
      label={`${label} (${currency})`}
      name={name}
      type="number"
      required
      step={1 / 10 ** digits}
      value={text}
      problem={problem}
      onChange={event => {
        setText(event.target.value)
        onChange(Math.round(Number(event.target.value) * 10 ** digits))
      }}
    />
  )
}
