import { useSearchParams } from "wouter"
import { useNow } from "../../api/useNow"
import { Button } from "../../ui/Button"
import { Field } from "../../ui/Field"
import { addDays, localDay } from "../../words/format"
import { staff } from "../../words/staff"
import styles from "./staff.module.css"

const says = staff.today

interface ChosenDay {
  readonly today: string
  /** The day that the address names, else today. */
  readonly date: string
  readonly go: (date: string) => void
}

/** The day that is looked at. The address carries it, so that a link opens the same one and Back works. */
export function useChosenDay(zone: string): ChosenDay {
  const today = localDay(useNow(), zone)
  const [address, setAddress] = useSearchParams()
  const go = (to: string) =>
    setAddress(before => {
      const after = new URLSearchParams(before)
      if (to === today) after.delete("date")
      else after.set("date", to)
      return after
    })
  return { today, date: dateOf(address.get("date")) ?? today, go }
}

/** The day before, the day after, any day, and today again. */
export function DayChoice({ today, date, go }: ChosenDay) {
  return (
    <div className={styles["days"]}>
      <Button aria-label={says.earlier} onClick={() => go(addDays(date, -1))}>
        <span aria-hidden="true">‹</span>
      </Button>
      <Field
        label={says.day}
        type="date"
        value={date}
        onChange={event => event.target.value && go(event.target.value)}
      />
      <Button aria-label={says.later} onClick={() => go(addDays(date, 1))}>
        <span aria-hidden="true">›</span>
      </Button>
      {date !== today && <Button onClick={() => go(today)}>{says.now}</Button>}
    </div>
  )
}

/** A local day as an address has it; anything else is no day. */
export function dateOf(text: string | null): string | null {
  return text && /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : null
}
