import type { MouseEvent } from "react"
import { calendarAddress, fetchCalendar, LINKS_ARE_SIGNED_IN } from "../../api/bookings"
import { buttonClass } from "../../ui/Button"
import { words } from "../../words/words"

/** Puts a booking into the calendar of whoever presses it: devices open such a file with their calendar. */
export function CalendarLink({ booking }: { booking: string }) {
  const fetchFirst = async (event: MouseEvent) => {
    event.preventDefault()
    const address = URL.createObjectURL(await fetchCalendar(booking))
    const link = Object.assign(document.createElement("a"), { href: address, download: "court.ics" })
    link.click()
    URL.revokeObjectURL(address)
  }
  return (
    <a
      className={buttonClass()}
      href={calendarAddress(booking)}
      download
      onClick={LINKS_ARE_SIGNED_IN ? undefined : event => void fetchFirst(event)}
    >
      {words.booking.toCalendar}
    </a>
  )
}
