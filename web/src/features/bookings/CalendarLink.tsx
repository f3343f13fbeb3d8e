import { calendarAddress } from "../../api/bookings"
import { buttonClass } from "../../ui/Button"
import { words } from "../../words/words"

/** Puts a booking into the calendar of whoever presses it: devices open such a file with their calendar. */
export function CalendarLink({ booking }: { booking: string }) {
  return (
    <a className={buttonClass()} href={calendarAddress(booking)} download>
      {words.booking.toCalendar}
    </a>
  )
}
