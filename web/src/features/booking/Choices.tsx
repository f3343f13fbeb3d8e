import { type ReactNode, useId } from "react"
import type { Availability } from "../../api/bookings"
import type { Club, Court } from "../../api/catalogue"
import { Button } from "../../ui/Button"
import { formatMoney, formatTimeOnce } from "../../words/format"
import { words } from "../../words/words"
import { type Scale, stepsOf } from "../grid/timeline"
import type { Extras, Selection } from "../grid/view"
import styles from "./Drawer.module.css"

interface Props {
  readonly club: Club
  readonly courts: readonly Court[]
  readonly scale: Scale
  readonly selection: Selection
  readonly now: number
  readonly extras: Extras
  readonly availability: Availability | undefined
  readonly onSelection: (selection: Selection) => void
  readonly onExtras: (extras: Extras) => void
}

/** Where, when, how long, with whom and with what. */
export function Choices(props: Props) {
  const { club, courts, scale, selection, now, extras, availability, onSelection, onExtras } = props
  const length = selection.until - selection.from
  const court = courts.find(candidate => candidate.id === selection.court)
  const starts = stepsOf(scale).filter(start => start >= now || start === selection.from)
  return (
    <div className={styles["choices"]}>
      <Choice
        label={words.booking.court}
        value={selection.court}
        onChange={id => onSelection({ ...selection, court: id })}
      >
        {courts.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </Choice>
      <Choice
        label={words.booking.start}
        value={selection.from}
        onChange={from => onSelection({ ...selection, from, until: from + length })}
      >
        {starts.map(start => (
          <option key={start} value={start}>
            {formatTimeOnce(start, club.zone)}
          </option>
        ))}
      </Choice>
      <Choice
        label={words.booking.duration}
        value={length}
        onChange={chosen => onSelection({ ...selection, until: selection.from + chosen })}
      >
        {lengthsOf(club, court, length).map(chosen => (
          <option key={chosen} value={chosen}>
            {words.booking.minutes(chosen / 60_000)}
          </option>
        ))}
      </Choice>
      {availability && (
        <Choice
          label={words.booking.coach}
          value={extras.coach_id ?? 0}
          onChange={id => onExtras({ ...extras, coach_id: id || null })}
        >
          <option value={0}>{words.booking.noCoach}</option>
          {extras.coach_id !== null && availability.coaches.every(coach => coach.id !== extras.coach_id) && (
            <option value={extras.coach_id}>{words.booking.coachGone}</option>
          )}
          {availability.coaches.map(coach => (
            <option key={coach.id} value={coach.id}>
              {words.booking.withPrice(coach.name, formatMoney(coach.price, club.currency))}
            </option>
          ))}
        </Choice>
      )}
      {availability && availability.equipment.length > 0 && (
        <fieldset className={styles["equipment"]}>
          <legend>{words.booking.equipment}</legend>
          {availability.equipment.map(pool => {
            const count = extras.equipment[pool.id] ?? 0
            const take = (quantity: number) =>
              onExtras({ ...extras, equipment: { ...extras.equipment, [pool.id]: quantity } })
            return (
              <div key={pool.id} className={styles["pool"]}>
                <span>
                  {words.booking.withPrice(pool.name, formatMoney(pool.price, club.currency))}
                  <small>{words.booking.left(Math.max(0, pool.remaining - count))}</small>
                </span>
                <Button
                  aria-label={words.booking.fewer(pool.name)}
                  disabled={count === 0}
                  onClick={() => take(count - 1)}
                >
                  −
                </Button>
                <output aria-label={pool.name}>{count}</output>
                <Button
                  aria-label={words.booking.more(pool.name)}
                  disabled={count >= pool.remaining}
                  onClick={() => take(count + 1)}
                >
                  +
                </Button>
              </div>
            )
          })}
        </fieldset>
      )}
    </div>
  )
}

interface ChoiceProps {
  readonly label: string
  readonly value: number
  readonly onChange: (value: number) => void
  readonly children: ReactNode
}

function Choice({ label, value, onChange, children }: ChoiceProps) {
  const id = useId()
  return (
    <div className={styles["choice"]}>
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value} onChange={event => onChange(Number(event.target.value))}>
        {children}
      </select>
    </div>
  )
}

/** The lengths that the court can be booked for, in milliseconds, and the one that is selected. */
function lengthsOf({ policy }: Club, court: Court | undefined, selected: number): number[] {
  const [least, most] = [court?.min_duration ?? policy.min_duration, court?.max_duration ?? policy.max_duration]
  const lengths = new Set([selected])
  for (let minutes = least; minutes <= most; minutes += policy.granularity) lengths.add(minutes * 60_000)
  return [...lengths].sort((one, other) => one - other)
}
