import type { Club } from "../../api/catalogue"
import { promoteEntry } from "../../api/line"
import { leaveWaitlist } from "../../api/waitlist"
import { Button } from "../../ui/Button"
import { Dialog } from "../../ui/Dialog"
import { Form } from "../../ui/Form"
import { formatSpan, formatTime } from "../../words/format"
import { staff } from "../../words/staff"
import { whoOf } from "./desk"
import { type AskedOfLine, placeOf } from "./LineTable"
import { useCourtName } from "./useCourtName"

const says = staff.line

interface Props {
  readonly club: Club
  readonly asked: AskedOfLine
  readonly onClose: () => void
  readonly onDone: (said: string) => void
}

/** Asks once more before somebody is promoted out of turn or taken from the line, and says what that means. */
export function LineDialog({ club, asked: { what, entry }, onClose, onDone }: Props) {
  const courtOf = useCourtName(club)
  const who = whoOf(entry.waiter)
  const span = formatSpan(entry.start_ts, entry.end_ts, club.zone)
  const wish = `${placeOf(entry, courtOf)}, ${span}`
  const promoting = what === "promote"

  async function promote(): Promise<string> {
    const { booking, waitlist_entry } = await promoteEntry(club.slug, entry.id)
    if (booking) return says.booked(who, `${courtOf(booking.court_id)}, ${span}`)
    const offer = waitlist_entry?.offer
    const until = offer?.until ? formatTime(offer.until, club.zone) : ""
    return says.nowOffered(who, `${offer ? courtOf(offer.court_id) : ""}, ${span}`, until)
  }

  async function remove(): Promise<string> {
    await leaveWaitlist(entry.id)
    return says.removed(who, wish)
  }

  return (
    <Dialog title={promoting ? says.promoteTitle(who) : says.removeTitle(who)} onClose={onClose}>
      <p>{wish}</p>
      {promoting && <p>{entry.position === 1 ? says.first : says.before(entry.position - 1)}</p>}
      <p>
        {promoting
          ? entry.auto_book
            ? says.willBook
            : says.willOffer(club.policy.offer_minutes)
          : entry.offer?.until
            ? says.removeOffered
            : says.removeText}
      </p>
      <Form
        submit={promoting ? says.promote : says.remove}
        // The usual sentences speak to whoever waits.
        told={says.refusals}
        act={async () => onDone(await (promoting ? promote() : remove()))}
      />
      <Button look="quiet" onClick={onClose}>
        {says.keep}
      </Button>
    </Dialog>
  )
}
