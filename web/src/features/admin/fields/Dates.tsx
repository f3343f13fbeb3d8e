import { useState } from "react"
import type { Dated } from "../../../api/collections"
import { Button } from "../../../ui/Button"
import { Field } from "../../../ui/Field"
import type { ProblemOf } from "../../../ui/Form"
import { formatDay } from "../../../words/format"
import { staff } from "../../../words/staff"
import styles from "./fields.module.css"
import { Windows } from "./Windows"

const says = staff.dates

interface Props {
  /** The server's name of the field. */
  readonly name: string
  /** Those before today first, as the server has them; they stay as they are. */
  readonly dates: readonly Dated[]
  readonly today: string
  readonly onChange: (dates: Dated[]) => void
  readonly problem: ProblemOf
  /** What a date without hours is called. */
  readonly none: string
}

/** Single dates whose hours are not those of their weekday: none at all, or others. */
export function Dates({ name, dates, today, onChange, problem, none }: Props) {
  const [past] = useState(() => dates.filter(({ day }) => day < today).length)
  const put = (index: number, changes: Partial<Dated>) =>
    onChange(dates.map((date, at) => (at === index ? { ...date, ...changes } : date)))
  return (
    <>
      <p className={styles["hint"]}>{says.text}</p>
      {dates.length === past && <p className={styles["hint"]}>{says.none}</p>}
      {dates.map(({ day, windows = [] }, index) => {
        if (index < past) return null
        const called = day ? formatDay(day) : says.date
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: its day is what is being chosen
          <fieldset key={index} className={styles["checks"]}>
            <legend>{day ? `${called} ${day.slice(0, 4)}` : called}</legend>
            <Field
              label={says.date}
              name={`${name}[${index}].day`}
              type="date"
              required
              value={day}
              problem={problem(`${name}[${index}].day`)}
              onChange={event => put(index, { day: event.target.value })}
            />
            <Windows
              of={called}
              windows={windows}
              nameOf={at => `${name}[${index}].windows[${at}]`}
              onChange={changed => put(index, { windows: changed })}
              problem={problem}
              none={none}
            />
            <Button aria-label={says.removeOf(called)} onClick={() => onChange(dates.filter((_, at) => at !== index))}>
              {says.remove}
            </Button>
          </fieldset>
        )
      })}
      <p>
        <Button onClick={() => onChange([...dates, { day: "", windows: [] }])}>{says.add}</Button>
      </p>
    </>
  )
}
