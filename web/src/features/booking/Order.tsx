import { useQuery } from "@tanstack/react-query"
import { useState } from "react"
import { Link } from "wouter"
import { availabilityQuery, quoteQuery, type Wanted } from "../../api/bookings"
import type { Court } from "../../api/catalogue"
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

/** What is refused so may be waited for with coach and equipment. */
const WAITED: readonly string[] = ["coach_unavailable", "equipment_unavailable"]

interface OrderProps extends Props {
  readonly court: Court
  readonly booking: ReturnType<typeof useBooking>
  /** What somebody has there, if anything. */
  readonly standing: Cell | null
  readonly onJoined: (entry: Entry) => void
}

/** Choosing and sending an order; or waiting, where somebody has the court. */
export function Order(props: OrderProps) {
  const { club, topic, courts, scale, selection, court, standing, total, onChange, onClose } = props
  const { error, busy, submit, forget } = props.booking
  const signedIn = useSession() !== null
  const [extras, setExtras] = useState<Extras>({ coach_id: props.coach, equipment: {} })
  const wanted = wantedOf(selection, extras)
  const availability = useQuery({
    ...availabilityQuery(club.slug, wanted.start_ts, wanted.end_ts),
    enabled: signedIn,
    placeholderData: known => known,
  })
  const quote = useQuery({ ...quoteQuery(wanted), enabled: signedIn, placeholderData: known => known })
  const faster = useFaster(selection, standing)
  const money = (minor: number) => formatMoney(minor, club.currency)
  const trouble = error ?? quote.error
  const taken = standing !== null || codeOf(trouble) === "slot_taken"
  const wait = taken || WAITED.includes(codeOf(trouble) ?? "")
  const priced = quote.data ?? null
  const fresh = quote.isPlaceholderData ? null : priced
  return (
    <Sheet title={words.booking.title} onClose={onClose}>
      <p className={styles["what"]}>
        {court.name} · {formatDate(selection.from, club.zone)},{" "}
        {formatTimes(selection.from, selection.until, club.zone)}
      </p>
      {trouble !== null && trouble !== undefined && <Notice trouble>{sentenceFor(trouble)}</Notice>}
      {standing && !trouble && (
        <Notice trouble={faster}>{faster ? words.booking.refusals.slot_taken : sayTaken(standing, club.zone)}</Notice>
      )}
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
      {wait && signedIn && (
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

/** Whether what is selected was free when it was chosen, and somebody has it now. */
function useFaster({ court, from, until }: Selection, standing: Cell | null): boolean {
  const chosen = `${court} ${from} ${until}`
  const [first, setFirst] = useState({ chosen, free: standing === null })
  if (first.chosen !== chosen) setFirst({ chosen, free: standing === null })
  return standing !== null && first.chosen === chosen && first.free
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

function wantedOf({ court, from, until }: Selection, extras: Extras): Wanted {
  const equipment = Object.entries(extras.equipment)
    .filter(([, quantity]) => quantity > 0)
    .map(([id, quantity]) => ({ equipment_id: Number(id), quantity }))
  return { court_id: court, start_ts: rfc(from), end_ts: rfc(until), coach_id: extras.coach_id, equipment }
}
