import { useQuery, useQueryClient } from "@tanstack/react-query"
import { lazy, Suspense, useCallback } from "react"
import { Link } from "wouter"
import { type Availability, availabilityQuery, quoteQuery, type Wanted } from "../../api/bookings"
import type { Club, Court } from "../../api/catalogue"
import { useSession } from "../../api/useSession"
import type { Entry } from "../../api/waitlist"
import type { Cell, Topic } from "../../live/protocol"
import { useDayChanges } from "../../live/useDayChanges"
import { buttonClass } from "../../ui/Button"
import { Notice } from "../../ui/Notice"
import { formatDate, formatMoney, formatTime, formatTimes } from "../../words/format"
import { words } from "../../words/words"
import { rfc } from "../grid/timeline"
import type { Extras, Selection } from "../grid/view"
import { useSignIn } from "../session/next"
import { WaitPanel } from "../waitlist/WaitPanel"
import { Alternatives } from "./Alternatives"
import { Choices } from "./Choices"
import { Deadline } from "./Deadline"
import type { Props } from "./Drawer"
import styles from "./Drawer.module.css"
import { Lines } from "./Lines"
import { codeOf, sentenceFor } from "./refusals"
import { Sheet } from "./Sheet"
import { Submit } from "./Submit"
import type { useBooking } from "./useBooking"
import type { Whom } from "./whom"

const ForWhom = lazy(async () => ({ default: (await import("../admin/ForWhom")).ForWhom }))

/** What is refused so may be waited for, with coach and equipment. */
const WAITED: readonly string[] = ["coach_unavailable", "equipment_unavailable", "outside_horizon"]

interface OrderProps extends Props {
  readonly court: Court
  readonly booking: ReturnType<typeof useBooking>
  /** What somebody has there, if anything. */
  readonly standing: Cell | null
  readonly onJoined: (entry: Entry) => void
  /** Whether it was free when it was selected, and somebody has it now. */
  readonly faster: boolean
  /** Whether it was held for whoever looks until a moment ago. */
  readonly missed: boolean
  /** Whether staff may book it for others. */
  readonly atDesk: boolean
  readonly whom: Whom
  readonly onWhom: (whom: Whom) => void
}

/** Choosing and sending an order; or waiting, where somebody has the court. */
export function Order(props: OrderProps) {
  const { club, topic, courts, scale, selection, extras, court, standing, total, whom, onWhom, onClose } = props
  const { error, busy, submit, forget } = props.booking
  const signedIn = useSession() !== null
  const wanted = wantedOf(selection, extras, whom)
  const { availability, quote, fresh, gone } = useOffer(club, topic, wanted, signedIn, whom !== undefined)
  const money = (minor: number) => formatMoney(minor, club.currency)
  const trouble = error ?? quote.error ?? null
  const refused = codeOf(trouble) ?? gone
  const taken = standing !== null || refused === "slot_taken"
  const wait = taken || WAITED.includes(refused ?? "")
  const priced = quote.data ?? null
  return (
    <Sheet title={words.booking.title} onClose={onClose}>
      <p className={styles["what"]}>
        {court.name} · {formatDate(selection.from, club.zone)},{" "}
        {formatTimes(selection.from, selection.until, club.zone)}
      </p>
      <Word {...props} trouble={trouble} gone={gone} />
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
          props.onChange(next)
        }}
        onExtras={next => {
          forget()
          props.onExtras(next)
        }}
      />
      {priced && <Lines price={priced} />}
      <Deadline policy={club.policy} from={selection.from} now={props.now} />
      {!wait && signedIn && (
        <Submit
          name={court.name}
          price={priced && money(priced.total)}
          busy={busy}
          failed={quote.error}
          onAgain={() => void Promise.all([quote.refetch(), availability.refetch()])}
          onSubmit={fresh && (() => void submit(wanted, fresh.total).then(() => quote.refetch()))}
        />
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

/**
 * What can be had with it, and what it costs: `fresh` is the price of just this, once it is known; `gone` is what of the
 * wish somebody else has by now.
 */
function useOffer(club: Club, topic: Topic, wanted: Wanted, signedIn: boolean, clear: boolean) {
  const availability = useQuery({
    ...availabilityQuery(club.slug, wanted.start_ts, wanted.end_ts),
    enabled: signedIn,
    placeholderData: known => known,
  })
  const quote = useQuery({ ...quoteQuery(wanted), enabled: signedIn && clear, placeholderData: known => known })
  const queries = useQueryClient()
  // Another booking may have taken the coach, or the last racket.
  useDayChanges(
    topic,
    useCallback(() => void queries.invalidateQueries({ queryKey: ["availability"] }), [queries]),
  )
  const gone = availability.data && !availability.isPlaceholderData ? goneOf(wanted, availability.data) : null
  return { availability, quote, gone, fresh: clear && !quote.isPlaceholderData ? (quote.data ?? null) : null }
}

function goneOf(
  wanted: Wanted,
  { coaches, equipment }: Availability,
): "coach_unavailable" | "equipment_unavailable" | null {
  if (wanted.coach_id !== null && coaches.every(coach => coach.id !== wanted.coach_id)) return "coach_unavailable"
  const left = new Map(equipment.map(pool => [pool.id, pool.remaining]))
  const short = wanted.equipment.some(item => item.quantity > (left.get(item.equipment_id) ?? 0))
  return short ? "equipment_unavailable" : null
}

/** For whoever is not signed in: the way to do so, and back. */
function Stranger({ about, waits }: { about: string | null; waits: boolean }) {
  const signIn = useSignIn()
  return (
    <>
      {about && <p>{words.grid.about(about)}</p>}
      <p className={styles["actions"]}>
        <Link href={signIn} className={buttonClass("primary")}>
          {waits ? words.waitlist.signIn : words.booking.signIn}
        </Link>
        <small>{words.booking.signInWhy}</small>
      </p>
    </>
  )
}

interface WordProps extends Pick<OrderProps, "club" | "standing" | "faster" | "missed"> {
  readonly trouble: unknown
  readonly gone: ReturnType<typeof goneOf>
}

/** What stands in the way, if anything does. */
function Word({ club, standing, faster, missed, trouble, gone }: WordProps) {
  const { refusals } = words.booking
  if (trouble !== null) return <Notice trouble>{sentenceFor(trouble)}</Notice>
  return (
    <>
      {missed && <Notice>{words.waitlist.expired}</Notice>}
      {standing && <Notice trouble={faster}>{faster ? refusals.slot_taken : sayTaken(standing, club.zone)}</Notice>}
      {gone && <Notice trouble>{refusals[gone]}</Notice>}
    </>
  )
}

function sayTaken(cell: Cell, zone: string): string {
  if (cell.k === "closed") return words.waitlist.closed(cell.reason ?? null)
  if (cell.k !== "held") return words.waitlist.taken
  return cell.until ? words.waitlist.heldUntil(formatTime(cell.until, zone)) : words.waitlist.heldTaken
}

function wantedOf({ court, from, until }: Selection, extras: Extras, whom: Whom): Wanted {
  const equipment = Object.entries(extras.equipment)
    .filter(([, quantity]) => quantity > 0)
    .map(([id, quantity]) => ({ equipment_id: Number(id), quantity }))
  const place = { court_id: court, start_ts: rfc(from), end_ts: rfc(until) }
  return { ...place, coach_id: extras.coach_id, equipment, user_email: whom?.email ?? null }
}
