import type { Booking } from "../../api/myBookings"

/** What a dialog about a booking is given. */
export interface Settling {
  readonly booking: Booking
  readonly onClose: () => void
  /** It is done, and this is to be said about it. */
  readonly onDone: (said: string) => void
}
