import { useQuery } from "@tanstack/react-query"
import { lazy, Suspense, useState } from "react"
import { Link } from "wouter"
import { availabilityQuery, quoteQuery, type Wanted } from "../../api/bookings"
import type { Club, Court } from "../../api/catalogue"
import { useSession } from "../../api/useSession"
import type { Entry } from "../../api/waitlist"
import type { Cell } from "../../live/protocol"
import { Button, buttonClass } from "../../ui/Button"
import { Notice } from "../../ui/Notice"
import { formatDate, formatMoney, formatTime, formatTimes } from "../../words/format"
import { words } from "../../words/words"
import { rfc } from "../grid/timeline"
import type { Selection } from "../grid/view"
import { WaitPanel } from "../waitlist/WaitPanel"
import { Alternatives } from "./Alternatives"
import { Choices } from "./Choices"
import type { Props } from "./Drawer"
import styles from "./Drawer.module.css"
import { Lines } from "./Lines"
import { codeOf, sentenceFor } from "./refusals"
import { Sheet } from "./Sheet"
import type { useBooking } from "./useBooking"
import type { Whom } from "./whom"

const ForWhom = lazy(async () => ({ default: (await import("../admin/ForWhom")).ForWhom }))

/** What is refused so may be waited for with coach and equipment. */
const WAITED: readonly string[] = ["coach_unavailable", "equipment_unavailable"]

interface OrderProps extends Props {
  readonly court: Court
  readonly booking: ReturnType<typeof useBooking>
  /** What somebody has there, if anything. */
  readonly standing: Cell | null
  readonly onJoined: (entry: Entry) => void
  /** Whether it was free when it was selected, and somebody has it now. */
  readonly faster: boolean
  /** Whether staff may book it for others. */
  readonly atDesk: boolean
  readonly whom: Whom
  readonly onWhom: (whom: Whom) => void
}

/** Choosing and sending an order; or waiting, where somebody has the court. */
export function Order(props: OrderProps) {
  const { club, topic, courts, scale, selection, court, standing, total, whom, onChange, onWhom, onClose } = props
  const { error, busy, submit, forget } = props.booking
  const signedIn = useSession() !== null
  const [extras, setExtras] = useState<Extras>({ coach_id: props.coach, equipment: {} })
  const wanted = wantedOf(selection, extras, whom)
  const { availability, quote, fresh } = useOffer(club, wanted, signedIn, whom !== undefined)
  const money = (minor: number) => formatMoney(minor, club.currency)
  const trouble = error ?? quote.error
  const taken = standing !== null || codeOf(trouble) === "slot_taken"
  const wait = taken || WAITED.includes(codeOf(trouble) ?? "")
  const priced = quote.data ?? null
  return (
    <Sheet title={words.booking.title} onClose={onClose}>
      <p className={styles["what"]}>
        {court.name} · {formatDate(selection.from, club.zone)},{" "}
        {formatTimes(selection.from, selection.until, club.zone)}
      </p>
      {trouble !== null && trouble !== undefined && <Notice trouble>{sentenceFor(trouble)}</Notice>}
      {standing && !trouble && <Standing cell={standing} faster={props.faster} zone={club.zone} />}
      {taken && signedIn && (
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
      {props.atDesk && (
        <Suspense>
          <ForWhom
            club={club}
            whom={whom}
            onWhom={next => {
              forget()
              onWhom(next)
            }}
          />
        </Suspense>
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
      {wait && signedIn && whom === null && (
        <WaitPanel
          key={`${selection.court} ${selection.from}`}
          club={club}
          court={court}
          wanted={wanted}
          price={fresh?.total ?? null}
          onJoined={props.onJoined}
        />
      )}
      {!signedIn && <Stranger waits={taken} about={total === null ? null : money(total)} />}
    </Sheet>
  )
}

/** What can be had with it, and what it costs: `fresh` is the price of just this, once it is known. */
function useOffer(club: Club, wanted: Wanted, signedIn: boolean, clear: boolean) {
  const availability = useQuery({
    ...availabilityQuery(club.slug, wanted.start_ts, wanted.end_ts),
    enabled: signedIn,
    placeholderData: known => known,
  })
  const quote = useQuery({ ...quoteQuery(wanted), enabled: signedIn && clear, placeholderData: known => known })
  return { availability, quote, fresh: clear && !quote.isPlaceholderData ? (quote.data ?? null) : null }
}

/** For whoever is not signed in: the way to do so, and back. */
function Stranger({ about, waits }: { about: string | null; waits: boolean }) {
  const here = encodeURIComponent(location.pathname + location.search)
  return (
    <>
      {about && <p>{words.grid.about(about)}</p>}
      <p className={styles["actions"]}>
        <Link href={`/login?next=${here}`} className={buttonClass("primary")}>
          {waits ? words.waitlist.signIn : words.booking.signIn}
        </Link>
        <small>{words.booking.signInWhy}</small>
      </p>
    </>
  )
}

function Standing({ cell, faster, zone }: { cell: Cell; faster: boolean; zone: string }) {
  return <Notice trouble={faster}>{faster ? words.booking.refusals.slot_taken : sayTaken(cell, zone)}</Notice>
}

function sayTaken(cell: Cell, zone: string): string {
  if (cell.k !== "held") return words.waitlist.taken
  return cell.until ? words.waitlist.heldUntil(formatTime(cell.until, zone)) : words.waitlist.heldTaken
}

/** Coach and equipment, the latter as id → how many. */
export interface Extras {
  readonly coach_id: number | null
  readonly equipment: Readonly<Record<number, number>>
}

function wantedOf({ court, from, until }: Selection, extras: Extras, whom: Whom): Wanted {
  const equipment = Object.entries(extras.equipment)
    .filter(([, quantity]) => quantity > 0)
    .map(([id, quantity]) => ({ equipment_id: Number(id), quantity }))
  const place = { court_id: court, start_ts: rfc(from), end_ts: rfc(until) }
  return { ...place, coach_id: extras.coach_id, equipment, user_email: whom?.email ?? null }
}
