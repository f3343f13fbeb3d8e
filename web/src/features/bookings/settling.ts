import type { Booking } from "../../api/myBookings"

/** What a dialog about a booking is given. */
export interface Settling {
  readonly booking: Booking
  /** Whose it is, if somebody else's: a name to say, and the address that its price is asked for. */
  readonly who?: string
  readonly email?: string
  readonly onClose: () => void
  /** It is done, and this is to be said about it. */
  readonly onDone: (said: string) => void
}
