import type { DayWindow } from "../../../api/collections"
import type { ProblemOf } from "../../../ui/Form"
import { staff } from "../../../words/staff"
import styles from "./fields.module.css"
import { type Window, Windows } from "./Windows"

interface Props {
  /** The server's name of the field. */
  readonly name: string
  readonly week: readonly DayWindow[]
  readonly onChange: (week: DayWindow[]) => void
  readonly problem: ProblemOf
  /** What a day without hours is called. */
  readonly none?: string
}

/** The hours of a week, day by day. */
export function Week({ name, week, onChange, problem, none }: Props) {
  const put = (weekday: number, windows: Window[]) => onChange(withDay(week, weekday, windows))
  return (
    <div className={styles["days"]}>
      {staff.hours.weekdays.map((day, weekday) => {
        const places = week.flatMap((window, place) => (window.weekday === weekday ? [place] : []))
        return (
          <fieldset key={day} className={styles["day"]}>
            <legend>{day}</legend>
            <Windows
              of={day}
              windows={week.filter(window => window.weekday === weekday)}
              nameOf={index => `${name}[${places[index]}]`}
              onChange={windows => put(weekday, windows)}
              problem={problem}
              none={none}
            />
          </fieldset>
        )
      })}
    </div>
  )
}

/** The week with other windows on a day, in the order of the days. */
export function withDay(week: readonly DayWindow[], weekday: number, windows: readonly Window[]): DayWindow[] {
  const others = week.filter(window => window.weekday !== weekday)
  const these = windows.map(({ opens, closes }) => ({ weekday, opens, closes }))
  return [...others, ...these].sort((one, other) => one.weekday - other.weekday)
}
