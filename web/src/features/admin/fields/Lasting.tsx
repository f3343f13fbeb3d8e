import { useState } from "react"
import { Field } from "../../../ui/Field"
import { staff } from "../../../words/staff"
import styles from "./fields.module.css"

const says = staff.rules
const UNITS = [1, 60, 1440] as const
type Unit = (typeof UNITS)[number]

interface Props {
  readonly label: string
  readonly hint: string
  readonly name: string
  readonly problem: string | undefined
  readonly required: boolean
  /** In minutes, as `max`. */
  readonly min: number
  readonly max: number
  /** Null where the field is empty. */
  readonly minutes: number | null
  readonly onChange: (minutes: number | null) => void
}

/** How long something lasts: a number of minutes, hours or days. */
export function Lasting({ minutes, min, max, onChange, ...field }: Props) {
  const [unit, setUnit] = useState(() => unitOf(minutes))
  const [text, setText] = useState(minutes === null ? "" : String(minutes / unit))
  const change = (next: string, of: Unit) => {
    setText(next)
    setUnit(of)
    onChange(next === "" ? null : Math.round(Number(next) * of))
  }
  return (
    <Field
      {...field}
      type="number"
      step="any"
      min={min / unit}
      max={max / unit}
      value={text}
      onChange={event => change(event.target.value, unit)}
      beside={
        <select
          className={styles["unit"]}
          aria-label={says.unitOf(field.label)}
          value={unit}
          onChange={event => change(text, Number(event.target.value) as Unit)}
        >
          {UNITS.map(each => (
            <option key={each} value={each}>
              {says.units[each]}
            </option>
          ))}
        </select>
      }
    />
  )
}

/** The greatest that says it in a whole number. */
function unitOf(minutes: number | null): Unit {
  return (minutes && [...UNITS].reverse().find(unit => minutes % unit === 0)) || 1
}
