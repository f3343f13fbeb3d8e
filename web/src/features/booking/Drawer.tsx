import { useQuery } from "@tanstack/react-query"
import { type ReactNode, useEffect, useId, useRef, useState } from "react"
import { Link } from "wouter"
import { availabilityQuery, type Booking, quoteQuery, type Wanted } from "../../api/bookings"
import type { Club, Court } from "../../api/catalogue"
import { useSession } from "../../api/useSession"
import type { Topic } from "../../live/protocol"
import { Button, buttonClass } from "../../ui/Button"
import { Notice } from "../../ui/Notice"
import { formatDate, formatMoney, formatSpan, formatTime, formatTimes } from "../../words/format"
import { words } from "../../words/words"
import { CalendarLink } from "../bookings/CalendarLink"
import { rfc, type Scale } from "../grid/timeline"
import type { Selection } from "../grid/view"
import { Alternatives } from "./Alternatives"
import { Choices } from "./Choices"
import styles from "./Drawer.module.css"
import { Lines } from "./Lines"
import { codeOf, sentenceFor } from "./refusals"
import { useBooking } from "./useBooking"

interface Props {
  readonly club: Club
  readonly topic: Topic
  readonly courts: readonly Court[]
  readonly scale: Scale
  readonly selection: Selection
  /** What it costs by the prices of the day, for whoever is not signed in; null while that is not known. */
  readonly total: number | null
  readonly now: number
  readonly onChange: (selection: Selection) => void
  /** What is being booked, to be shown on the grid at once; null when the server has had its word. */
  readonly onPending: (selection: Selection | null) => void
  readonly onClose: () => void
}

/** Booking what is selected: a sheet at the right, or at the bottom of a small window. */
export function Drawer(props: Props) {
  const { club, topic, courts, scale, selection, total, onChange, onClose } = props
  const session = useSession()
  const [extras, setExtras] = useState<Extras>({ coach_id: null, equipment: {} })
  const wanted = wantedOf(selection, extras)
  const { booked, error, busy, submit, forget } = useBooking(topic, props.onPending)
  const signedIn = session !== null
  const availability = useQuery({
    ...availabilityQuery(club.slug, wanted.start_ts, wanted.end_ts),
    enabled: signedIn && !booked,
    placeholderData: known => known,
  })
  const quote = useQuery({ ...quoteQuery(wanted), enabled: signedIn && !booked, placeholderData: known => known })
  const court = courts.find(candidate => candidate.id === selection.court)
  const money = (minor: number) => formatMoney(minor, club.currency)
  if (!court) return null
  if (booked) return <Done club={club} courts={courts} booking={booked} onClose={onClose} />
  const trouble = error ?? quote.error
  const taken = codeOf(trouble) === "slot_taken"
  const priced = quote.data ?? null
  const fresh = quote.isPlaceholderData ? null : priced
  return (
    <Sheet title={words.booking.title} onClose={onClose}>
      <p className={styles["what"]}>
        {court.name} · {formatDate(selection.from, club.zone)},{" "}
        {formatTimes(selection.from, selection.until, club.zone)}
      </p>
      {trouble !== null && trouble !== undefined && <Notice trouble>{sentenceFor(trouble)}</Notice>}
      {taken && (
        <Alternatives
          club={club}
          topic={topic}
          courts={courts}
          scale={scale}
          wanted={wanted}
          now={props.now}
          busy={busy}
          onBook={(other, total) => void submit(other, total)}
        />
      )}
      <Choices
        club={club}
        courts={courts}
        scale={scale}
        selection={selection}
        now={props.now}
        extras={extras}
        availability={availability.data}
        onSelection={next => {
          forget()
          onChange(next)
        }}
        onExtras={next => {
          forget()
          setExtras(next)
        }}
      />
      {priced && <Lines price={priced} />}
      <p>{words.booking.cancelUntil(club.policy.cancel_deadline)}</p>
      {!taken && signedIn && (
        <p className={styles["actions"]}>
          <Button
            look="primary"
            disabled={busy || fresh === null}
            onClick={() => fresh && void submit(wanted, fresh.total).then(() => quote.refetch())}
          >
            {busy ? words.booking.submitting : words.booking.submit(court.name, priced ? money(priced.total) : "…")}
          </Button>
        </p>
      )}
      {!signedIn && <Stranger about={total === null ? null : money(total)} />}
    </Sheet>
  )
}

/** For whoever is not signed in: the way to do so, and back. */
function Stranger({ about }: { about: string | null }) {
  const here = encodeURIComponent(location.pathname + location.search)
  return (
    <>
      {about && <p>{words.grid.about(about)}</p>}
      <p className={styles["actions"]}>
        <Link href={`/login?next=${here}`} className={buttonClass("primary")}>
          {words.booking.signIn}
        </Link>
        <small>{words.booking.signInWhy}</small>
      </p>
    </>
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

/** Coach and equipment, the latter as id → how many. */
export interface Extras {
  readonly coach_id: number | null
  readonly equipment: Readonly<Record<number, number>>
}

function wantedOf({ court, from, until }: Selection, extras: Extras): Wanted {
  const equipment = Object.entries(extras.equipment)
    .filter(([, quantity]) => quantity > 0)
    .map(([id, quantity]) => ({ equipment_id: Number(id), quantity }))
  return { court_id: court, start_ts: rfc(from), end_ts: rfc(until), coach_id: extras.coach_id, equipment }
}

function momentOf(instant: string, zone: string): string {
  return `${formatDate(instant, zone)}, ${formatTime(instant, zone)}`
}

function Sheet({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const shown = dialog.current
    shown?.showModal()
    return () => shown?.close() // gives the focus back to where it was
  }, [])
  return (
    <dialog
      ref={dialog}
      className={styles["sheet"]}
      aria-labelledby={id}
      onCancel={event => {
        event.preventDefault()
        onClose()
      }}
    >
      <header className={styles["head"]}>
        <h2 id={id}>{title}</h2>
        <Button look="quiet" aria-label={words.booking.close} onClick={onClose}>
          <span aria-hidden="true">✕</span>
        </Button>
      </header>
      {children}
    </dialog>
  )
}
