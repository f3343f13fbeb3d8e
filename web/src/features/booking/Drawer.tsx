import { lazy, Suspense, useEffect, useRef, useState } from "react"
import { Link } from "wouter"
import type { Booking } from "../../api/bookings"
import type { Club, Court } from "../../api/catalogue"
import { useIsStaff } from "../../api/useRole"
import type { Entry } from "../../api/waitlist"
import type { Cell, Topic } from "../../live/protocol"
import { useRow } from "../../live/useLive"
import { Button, buttonClass } from "../../ui/Button"
import { Notice } from "../../ui/Notice"
import { formatMoment, formatSpan } from "../../words/format"
import { words } from "../../words/words"
import { CalendarLink } from "../bookings/CalendarLink"
import { type Scale, takenBy } from "../grid/timeline"
import type { Extras, Selection } from "../grid/view"
import { OfferCard } from "../waitlist/OfferCard"
import { useEntryWords } from "../waitlist/useEntryPlace"
import { useWaiting } from "../waitlist/useWaiting"
import { Deadline } from "./Deadline"
import styles from "./Drawer.module.css"
import { Lines } from "./Lines"
import { Order } from "./Order"
import { Sheet } from "./Sheet"
import { useBooking } from "./useBooking"
import type { Whom } from "./whom"

const AtDesk = lazy(async () => ({ default: (await import("../admin/AtDesk")).AtDesk }))
/** What staff press to see whose it is. */
const BOOKED: readonly Cell["k"][] = ["booked", "coaching"]

export interface Props {
  readonly club: Club
  readonly topic: Topic
  readonly courts: readonly Court[]
  readonly scale: Scale
  readonly selection: Selection
  /** The `grid_ref`s of one's own bookings. */
  readonly mine: ReadonlySet<string>
  /** What is held for whoever looks, by its name on the grid. */
  readonly held: ReadonlyMap<string, Entry>
  /** What it costs by the prices of the day, for whoever is not signed in; null while that is not known. */
  readonly total: number | null
  readonly now: number
  readonly extras: Extras
  readonly onChange: (selection: Selection) => void
  readonly onExtras: (extras: Extras) => void
  /** What is being booked, to be shown on the grid at once; null when the server has had its word. */
  readonly onPending: (selection: Selection | null) => void
  readonly onClose: () => void
}

/** Booking what is selected, or waiting for it: a sheet at the right, or at the bottom of a small window. */
export function Drawer(props: Props) {
  const { club, topic, courts, scale, selection, mine, held, onClose } = props
  const atDesk = useIsStaff(club)
  const booking = useBooking(topic, props.onPending)
  const [joined, setJoined] = useState<Entry | null>(null)
  const [done, setDone] = useState<string | null>(null)
  const [whom, setWhom] = useState<Whom>(null)
  const there = takenBy(scale, useRow(topic, selection.court), selection)
  // While one's own booking is under way, what is there may be that.
  const standing = booking.busy ? null : (there?.cell ?? null)
  useWhenFreed(standing !== null, booking.forget)
  const faster = useFaster(selection, standing) && standing?.k !== "closed"
  const court = courts.find(candidate => candidate.id === selection.court)
  const offered = held.get(standing?.ref ?? "")
  const missed = useMissed(selection, offered)
  if (!court) return null
  if (booking.booked) return <Done {...props} booking={booking.booked} who={whom ? whom.name || whom.email : null} />
  if (joined) return <Joined entry={joined} onClose={onClose} />
  if (done !== null) return <Said said={done} onClose={onClose} />
  if (atDesk && standing?.ref && !faster && BOOKED.includes(standing.k)) {
    return (
      <Suspense>
        <AtDesk club={club} topic={topic} court={court} gridRef={standing.ref} onClose={onClose} />
      </Suspense>
    )
  }
  if (mine.has(standing?.ref ?? "")) return <Said said={words.waitlist.yours} onClose={onClose} />
  if (offered) return <Offered entry={offered} onDone={setDone} onClose={onClose} />
  const given = { court, booking, standing, faster, missed, atDesk, whom, onWhom: setWhom, onJoined: setJoined }
  return <Order {...props} {...given} />
}

/** Whether what is selected was free when it was chosen, and somebody has it now. */
function useFaster({ court, from, until }: Selection, standing: Cell | null): boolean {
  const chosen = `${court} ${from} ${until}`
  const [first, setFirst] = useState({ chosen, free: standing === null })
  if (first.chosen !== chosen) setFirst({ chosen, free: standing === null })
  return standing !== null && first.chosen === chosen && first.free
}

/** Whether what is selected was held for whoever looks, and is not any more. */
function useMissed({ court, from, until }: Selection, offered: Entry | undefined): boolean {
  const chosen = `${court} ${from} ${until}`
  const [last, setLast] = useState({ chosen: "", id: "" })
  if (offered && (last.chosen !== chosen || last.id !== offered.id)) setLast({ chosen, id: offered.id })
  return !offered && last.chosen === chosen
}

/** Calls when what stood in the way is gone: what was said about it is not true any more. */
function useWhenFreed(taken: boolean, call: () => void): void {
  const before = useRef(taken)
  useEffect(() => {
    if (before.current && !taken) call()
    before.current = taken
  })
}

/** What is held for whoever looks. */
function Offered({ entry, onDone, onClose }: { entry: Entry; onDone: (said: string) => void; onClose: () => void }) {
  const { ahead } = useWaiting()
  const said = useEntryWords([entry])(entry)
  return (
    <Sheet title={words.booking.title} onClose={onClose}>
      <OfferCard entry={entry} said={said} ahead={ahead} onDone={onDone} />
    </Sheet>
  )
}

/** What one waits for from now on. */
function Joined({ entry, onClose }: { entry: Entry; onClose: () => void }) {
  const { what } = useEntryWords([entry])(entry)
  const next = entry.auto_book ? words.waitlist.joinedBook : words.waitlist.joinedOffer
  const said = words.waitlist.joined(entry.position, what)
  return <Said title={words.waitlist.joinedTitle} said={said} next={next} onClose={onClose} />
}

interface SaidProps {
  readonly title?: string
  readonly said: string
  readonly next?: string
  readonly onClose: () => void
}

function Said({ title = words.booking.title, said, next, onClose }: SaidProps) {
  return (
    <Sheet title={title} onClose={onClose}>
      <Notice>{said}</Notice>
      {next && <p>{next}</p>}
      <p className={styles["actions"]}>
        <Link href="/bookings" className={buttonClass()}>
          {next ? words.waitlist.toWaitlist : words.booking.toBookings}
        </Link>
        <Button look="primary" onClick={onClose}>
          {words.booking.close}
        </Button>
      </p>
    </Sheet>
  )
}

interface DoneProps extends Pick<Props, "club" | "courts" | "now" | "onClose"> {
  readonly booking: Booking
  /** For whom, if for somebody else. */
  readonly who: string | null
}

/** What has been booked. */
function Done({ club, courts, now, booking, who, onClose }: DoneProps) {
  const name = courts.find(court => court.id === booking.court_id)?.name ?? ""
  const span = formatSpan(booking.start_ts, booking.end_ts, club.zone)
  const said = who === null ? words.booking.done(name, span) : words.booking.doneFor(who, name, span)
  return (
    <Sheet title={words.booking.doneTitle} onClose={onClose}>
      <Notice>{said}</Notice>
      <Lines price={booking.price} />
      {who === null &&
        (Date.parse(booking.cancel_until) < now ? (
          <Deadline policy={club.policy} from={Date.parse(booking.start_ts)} now={now} />
        ) : (
          <p>{words.booking.cancelBy(formatMoment(booking.cancel_until, club.zone))}</p>
        ))}
      <p className={styles["actions"]}>
        {who === null && (
          <>
            <CalendarLink booking={booking.id} />
            <Link href="/bookings" className={buttonClass()}>
              {words.booking.toBookings}
            </Link>
          </>
        )}
        <Button look="primary" onClick={onClose}>
          {words.booking.close}
        </Button>
      </p>
    </Sheet>
  )
}
