import { useQueryClient } from "@tanstack/react-query"
import { useEffect, useRef } from "react"
import type { Booking } from "../../api/myBookings"
import { useDay, useRow } from "../../live/useLive"

/** So many bookings are watched; of what is further away one hears when coming back to the page. */
const WATCHED = 8

/** Asks for one's bookings again when the row of the grid that one of them is in has changed. */
export function Watch({ bookings }: { bookings: readonly Booking[] }) {
  return bookings.slice(0, WATCHED).map(booking => <WatchOne key={booking.id} booking={booking} />)
}

function WatchOne({ booking }: { booking: Booking }) {
  const queries = useQueryClient()
  // Answers carry the club's own offset, so this is the club's day.
  const topic = { club: booking.club, date: booking.start_ts.slice(0, 10) }
  useDay(topic)
  const row = useRow(topic, booking.court_id)
  const seen = useRef(row)
  useEffect(() => {
    if (seen.current && row && row !== seen.current) void queries.invalidateQueries({ queryKey: ["bookings"] })
    seen.current = row
  }, [row, queries])
  return null
}
