import type { Club } from "../../api/catalogue"
import type { DeskEntry } from "../../api/line"
import { Button } from "../../ui/Button"
import { type Column, Table } from "../../ui/Table"
import { formatDay, formatMoment, formatMoney, formatTime, formatTimes } from "../../words/format"
import { staff } from "../../words/staff"
import { ordinal } from "../../words/waitlist"
import { Countdown } from "../waitlist/Countdown"
import { useExtras, Who } from "./DeskTable"
import { whoOf } from "./desk"
import { inLineOrder } from "./line"
import styles from "./staff.module.css"
import { useCourtName } from "./useCourtName"

const says = staff.line

export interface AskedOfLine {
  readonly what: "promote" | "remove"
  readonly entry: DeskEntry
}

interface Props {
  readonly club: Club
  readonly date: string
  readonly entries: readonly DeskEntry[]
  /** By how many milliseconds the server's clock is ahead of the device's. */
  readonly ahead: number
  readonly onAsk: (asked: AskedOfLine) => void
  /** The time of an offer is up. */
  readonly onOver: () => void
}

/** Those who wait, line by line: for what, since when, and what becomes of it when it is free. */
export function LineTable({ club, date, entries, ahead, onAsk, onOver }: Props) {
  const extras = useExtras(club)
  const courtOf = useCourtName(club)
  const columns: Column<DeskEntry>[] = [
    {
      head: says.when,
      of: ({ start_ts, end_ts }) => <span>{formatTimes(start_ts, end_ts, club.zone)}</span>,
    },
    {
      head: says.court,
      of: entry => [placeOf(entry, courtOf), extras(entry)].filter(Boolean).join(", "),
    },
    { head: says.place, short: true, of: ({ position }) => ordinal(position) },
    { head: says.who, of: ({ waiter }) => <Who who={waiter} /> },
    { head: says.since, of: ({ created_at }) => formatMoment(created_at, club.zone) },
    {
      head: says.fate,
      of: entry => <Fate club={club} entry={entry} ahead={ahead} courtOf={courtOf} onOver={onOver} />,
    },
  ]
  return (
    <Table
      caption={says.heading(formatDay(date))}
      columns={columns}
      rows={inLineOrder(entries)}
      keyOf={({ id }) => id}
      actions={entry => {
        const what = `${whoOf(entry.waiter)}, ${formatTimes(entry.start_ts, entry.end_ts, club.zone)}`
        return (
          <>
            {entry.status !== "offered" && (
              <Button aria-label={says.promoteOf(what)} onClick={() => onAsk({ what: "promote", entry })}>
                {says.promote}
              </Button>
            )}
            <Button aria-label={says.removeOf(what)} onClick={() => onAsk({ what: "remove", entry })}>
              {says.remove}
            </Button>
          </>
        )
      }}
    />
  )
}

/** The court that is waited for, or that any of a kind will do. */
export function placeOf({ court_id, kind }: DeskEntry, courtOf: (id: number) => string): string {
  return court_id === null ? says.anyOf(kind ?? "") : courtOf(court_id)
}

interface FateProps {
  readonly club: Club
  readonly entry: DeskEntry
  readonly ahead: number
  readonly courtOf: (id: number) => string
  readonly onOver: () => void
}

/** What becomes of it when it is free; of what is offered, for how long it is. */
function Fate({ club, entry, ahead, courtOf, onOver }: FateProps) {
  const { offer, auto_book, max_price, not_after } = entry
  if (offer?.until) {
    return (
      <>
        <span className={styles["tag"]}>
          {says.offered(courtOf(offer.court_id), formatTime(offer.until, club.zone))}
        </span>{" "}
        <Countdown until={offer.until} ahead={ahead} onOver={onOver} />
      </>
    )
  }
  const booked = max_price === null ? says.book : says.bookUpTo(formatMoney(max_price, club.currency))
  return (
    <>
      {offer && <span className={styles["tag"]}>{says.held}</span>}{" "}
      {[auto_book ? booked : says.offer, not_after && says.until(formatMoment(not_after, club.zone))]
        .filter(Boolean)
        .join(", ")}
    </>
  )
}
