import { serverNow } from "../../api/clock"
import { cancelBooking } from "../../api/myBookings"
import { Button } from "../../ui/Button"
import { Dialog } from "../../ui/Dialog"
import { Form } from "../../ui/Form"
import { formatDate, formatSpan, formatTime } from "../../words/format"
import { words } from "../../words/words"
import type { Settling } from "./settling"
import { usePlace } from "./usePlace"

/** Asks once more before a booking is given up, and says what that costs. */
export function CancelDialog({ booking, who, onClose, onDone }: Settling) {
  const { club, court, zone } = usePlace(booking)
  const said = words.bookings.cancelling
  const free = serverNow() <= Date.parse(booking.cancel_until)
  const until = `${formatDate(booking.cancel_until, zone)}, ${formatTime(booking.cancel_until, zone)}`
  const where = `${court}, ${formatSpan(booking.start_ts, booking.end_ts, zone)}`
  const what = who ? `${who}, ${where}` : where
  return (
    <Dialog title={said.title} onClose={onClose}>
      <p>{what}</p>
      <p>{free ? said.free(until) : said.late(until, club?.policy.late_cancel_fee_percent ?? 0)}</p>
      <Form
        submit={said.submit}
        act={async () => {
          await cancelBooking(booking.id)
          onDone(said.done(what))
        }}
      />
      <Button look="quiet" onClick={onClose}>
        {said.keep}
      </Button>
    </Dialog>
  )
}
