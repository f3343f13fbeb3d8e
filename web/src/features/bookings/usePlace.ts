import { useQuery } from "@tanstack/react-query"
import { type Club, clubsQuery, courtsQuery } from "../../api/catalogue"
import type { Booking } from "../../api/myBookings"
import { words } from "../../words/words"

interface Place {
  /** Undefined as long as it is not known, and if it is closed for good. */
  readonly club: Club | undefined
  readonly court: string
  readonly zone: string
}

/** Where a booking is, in words. */
export function usePlace(booking: Booking): Place {
  const clubs = useQuery(clubsQuery)
  const club = clubs.data?.find(({ slug }) => slug === booking.club)
  const courts = useQuery({ ...courtsQuery(booking.club, club?.config_version ?? 0), enabled: !!club })
  const court = courts.data?.find(({ id }) => id === booking.court_id)?.name
  return { club, court: court ?? words.bookings.someCourt, zone: club?.zone ?? "UTC" }
}
