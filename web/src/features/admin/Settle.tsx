import { CancelDialog } from "../bookings/CancelDialog"
import { MoveDialog } from "../bookings/MoveDialog"
import type { Asked } from "./DeskTable"
import { whoOf } from "./desk"

interface Props {
  readonly asked: Asked
  readonly onClose: () => void
  readonly onDone: (said: string) => void
}

/** Cancelling or moving somebody's booking: the same questions as to its owner, with the owner's price. */
export function Settle({ asked: { what, booking }, onClose, onDone }: Props) {
  const given = { booking, who: whoOf(booking.booker), email: booking.booker.email, onClose, onDone }
  return what === "cancel" ? <CancelDialog {...given} /> : <MoveDialog {...given} />
}
