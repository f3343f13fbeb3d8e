import { useEffect, useRef, useState } from "react"
import { Link } from "wouter"
import type { Booking } from "../../api/bookings"
import type { Club, Court } from "../../api/catalogue"
import type { Entry } from "../../api/waitlist"
import type { Topic } from "../../live/protocol"
import { useRow } from "../../live/useLive"
import { Button, buttonClass } from "../../ui/Button"
import { Notice } from "../../ui/Notice"
import { formatDate, formatSpan, formatTime } from "../../words/format"
import { words } from "../../words/words"
import { CalendarLink } from "../bookings/CalendarLink"
import { type Scale, takenBy } from "../grid/timeline"
import type { Selection } from "../grid/view"
import { OfferCard } from "../waitlist/OfferCard"
import { useEntryWords } from "../waitlist/useEntryPlace"
import { useWaiting } from "../waitlist/useWaiting"
import styles from "./Drawer.module.css"
import { Lines } from "./Lines"
import { Order } from "./Order"
import { Sheet } from "./Sheet"
import { useBooking } from "./useBooking"

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
  /** The coach who is wished for from the start. */
  readonly coach: number | null
  readonly onChange: (selection: Selection) => void
  /** What is being booked, to be shown on the grid at once; null when the server has had its word. */
  readonly onPending: (selection: Selection | null) => void
  readonly onClose: () => void
}

/** Booking what is selected, or waiting for it: a sheet at the right, or at the bottom of a small window. */
export function Drawer(props: Props) {
  const { club, topic, courts, scale, selection, mine, held, onClose } = props
  const booking = useBooking(topic, props.onPending)
  const [joined, setJoined] = useState<Entry | null>(null)
  const [done, setDone] = useState<string | null>(null)
  const there = takenBy(scale, useRow(topic, selection.court), selection)
  // While one's own booking is under way, what is there may be that.
  const standing = booking.busy ? null : (there?.cell ?? null)
  useWhenFreed(standing !== null, booking.forget)
  const court = courts.find(candidate => candidate.id === selection.court)
  const offered = held.get(standing?.ref ?? "")
  if (!court) return null
  if (booking.booked) return <Done club={club} courts={courts} booking={booking.booked} onClose={onClose} />
  if (joined) return <Joined entry={joined} onClose={onClose} />
  if (done !== null) return <Said said={done} onClose={onClose} />
  if (mine.has(standing?.ref ?? "")) return <Said said={words.waitlist.yours} onClose={onClose} />
  if (offered) return <Offered entry={offered} onDone={setDone} onClose={onClose} />
  return <Order {...props} court={court} booking={booking} standing={standing} onJoined={setJoined} />
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
  return <Said said={words.waitlist.joined(entry.position, what)} next={next} onClose={onClose} />
}

function Said({ said, next, onClose }: { said: string; next?: string; onClose: () => void }) {
  return (
    <Sheet title={words.booking.title} onClose={onClose}>
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

/** What has been booked. */
function Done({ club, courts, booking, onClose }: Pick<Props, "club" | "courts" | "onClose"> & { booking: Booking }) {
  const name = courts.find(court => court.id === booking.court_id)?.name ?? ""
  return (
    <Sheet title={words.booking.title} onClose={onClose}>
      <Notice>{words.booking.done(name, formatSpan(booking.start_ts, booking.end_ts, club.zone))}</Notice>
      <Lines price={booking.price} />
      <p>{words.booking.cancelBy(momentOf(booking.cancel_until, club.zone))}</p>
      <p className={styles["actions"]}>
        <CalendarLink booking={booking.id} />
        <Link href="/bookings" className={buttonClass()}>
          {words.booking.toBookings}
        </Link>
        <Button look="primary" onClick={onClose}>
          {words.booking.close}
        </Button>
      </p>
    </Sheet>
  )
}

function momentOf(instant: string, zone: string): string {
  return `${formatDate(instant, zone)}, ${formatTime(instant, zone)}`
}
