/** What is said of a booking at the desk, and finding people in a list. */

import type { DeskBooking, Named } from "../../api/desk"
import { formatTimes } from "../../words/format"
import { staff } from "../../words/staff"

/** Whose it is: a name, else the address. */
export function whoOf({ name, email }: Named): string {
  return name || email || staff.today.gone
}

/** "Pia Player, 10:00–11:00" */
export function aboutOf(booking: DeskBooking, zone: string): string {
  return staff.today.about(whoOf(booking.booker), formatTimes(booking.start_ts, booking.end_ts, zone))
}

/** Whether some text is part of the name or the address, as the server looks for it. */
export function isFound({ booker }: DeskBooking, search: string): boolean {
  return `${booker.email} ${booker.name}`.toLowerCase().includes(search.trim().toLowerCase())
}

/** By time, then by court in the order of the grid. */
export function inOrder(bookings: readonly DeskBooking[], courts: readonly number[]): DeskBooking[] {
  const place = new Map(courts.map((court, index) => [court, index]))
  const placeOf = ({ court_id }: DeskBooking) => place.get(court_id) ?? courts.length
  return [...bookings].sort(
    (one, other) => Date.parse(one.start_ts) - Date.parse(other.start_ts) || placeOf(one) - placeOf(other),
  )
}
