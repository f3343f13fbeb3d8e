import { useQuery } from "@tanstack/react-query"
import { type CSSProperties, useEffect, useRef } from "react"
import { daysQuery } from "../../api/bookings"
import type { Club } from "../../api/catalogue"
import { Button } from "../../ui/Button"
import { addDays, formatDayParts, localDay } from "../../words/format"
import { words } from "../../words/words"
import styles from "./DayStrip.module.css"

const DAYS = 14

interface Props {
  readonly club: Club
  readonly date: string
  readonly now: number
  readonly onGo: (date: string) => void
}

/** Fourteen days with how full each is, arrows, and a date beyond them. */
export function DayStrip({ club, date, now, onGo }: Props) {
  const today = localDay(now, club.zone)
  const first = startOf(today, date)
  const { data } = useQuery({
    ...daysQuery(club.slug, first, addDays(first, DAYS - 1)),
    refetchInterval: 60_000,
    placeholderData: known => known,
  })
  const list = useRef<HTMLOListElement>(null)
  useEffect(() => {
    const chosen = list.current?.querySelector<HTMLElement>(`[data-day="${date}"]`)
    // Not `scrollIntoView`, which would move the page as well.
    if (list.current && chosen) list.current.scrollLeft = chosen.offsetLeft - list.current.clientWidth / 3
  }, [date])
  const days = Array.from({ length: DAYS }, (_, index) => addDays(first, index))
  return (
    <nav className={styles["strip"]} aria-label={words.grid.days.label}>
      <div className={styles["line"]}>
        <Button
          look="quiet"
          aria-label={words.grid.days.earlier}
          disabled={first <= today}
          onClick={() => onGo(addDays(date, -DAYS) < today ? today : addDays(date, -DAYS))}
        >
          ‹
        </Button>
        <ol ref={list} className={styles["days"]}>
          {days.map(day => {
            const known = data?.find(candidate => candidate.date === day)
            const percent = Math.round((known?.full ?? 0) * 100)
            const [weekday, name] = formatDayParts(day)
            const how = known?.open.length === 0 ? words.grid.days.closed : words.grid.days.full(percent)
            return (
              <li key={day} data-day={day}>
                <button
                  type="button"
                  className={styles["day"]}
                  aria-current={day === date ? "date" : undefined}
                  onClick={() => onGo(day)}
                >
                  <span className={styles["weekday"]}>{day === today ? words.grid.days.today : weekday}</span>{" "}
                  <span className={styles["name"]}>{name}</span>
                  <span
                    className={styles["bar"]}
                    style={{ "--full": percent > 0 ? `max(${percent}%, 0.375rem)` : "0%" } as CSSProperties}
                    aria-hidden="true"
                  />
                  {known && <span className={known.open.length === 0 ? styles["how"] : styles["spoken"]}>{how}</span>}
                </button>
              </li>
            )
          })}
        </ol>
        <Button look="quiet" aria-label={words.grid.days.later} onClick={() => onGo(addDays(date, DAYS))}>
          ›
        </Button>
        <input
          type="date"
          className={styles["pick"]}
          aria-label={words.grid.days.pick}
          value={date}
          min={today}
          onChange={event => event.target.value && onGo(event.target.value)}
        />
      </div>
    </nav>
  )
}

/** The first day of the strip that a day is in: strips follow one another from today on. */
function startOf(today: string, date: string): string {
  const ahead = Math.round((Date.parse(`${date}T12:00:00Z`) - Date.parse(`${today}T12:00:00Z`)) / 86_400_000)
  return addDays(today, Math.floor(ahead / DAYS) * DAYS)
}
