/** What a court is at an instant, and what comes next. Pure. Instants are milliseconds since 1970. */

import type { Cell, Row } from "../../live/protocol"
import type { Head } from "../../live/topics"

/** `shut`: outside the opening hours. */
export type Kind = Cell["k"] | "free" | "shut"

export interface Stretch {
  readonly kind: Kind
  readonly from: number
  /** When it ends, as far as the day is known; null at its end. */
  readonly until: number | null
  readonly reason: string | null
}

export interface Status {
  readonly now: Stretch
  readonly next: readonly Stretch[]
}

const SHOWN_NEXT = 2

/** What the court is at `at`, and up to two stretches after that. */
export function statusOf(row: Row, open: Head["open"], at: number): Status {
  const now = stretchAt(row, open, at)
  const next: Stretch[] = []
  for (let last = now; last.until !== null && next.length < SHOWN_NEXT; ) {
    last = stretchAt(row, open, last.until)
    // What comes after the last hour is another day's business, and "until" has told that it is the last.
    if (last.kind === "shut" && last.until === null) break
    next.push(last)
  }
  return { now, next }
}

/** The opening hours of last night, of today and, where those go on, of the night to come; what touches is one. */
export function hoursOf(yesterday: Head["open"], today: Head["open"]): Head["open"] {
  const joined: (readonly [string, string])[] = []
  for (const window of [...yesterday, ...today]) {
    const last = joined.at(-1)
    if (last && Date.parse(window[0]) <= Date.parse(last[1])) {
      joined[joined.length - 1] = [last[0], Date.parse(window[1]) > Date.parse(last[1]) ? window[1] : last[1]]
    } else joined.push(window)
  }
  return joined
}

/** A court's row with that of the day after it. What crosses midnight is in both, and counts once. */
export function nightOf(row: Row, after: Row | undefined): Row {
  const starts = new Set(row.cells.map(cell => cell.s))
  return { ...row, cells: [...row.cells, ...(after?.cells.filter(cell => !starts.has(cell.s)) ?? [])] }
}

/** How much of a stretch is over, from 0 to 1; null where it has no end or nobody waits for it. */
export function progressOf({ kind, from, until }: Stretch, at: number): number | null {
  if (until === null || kind === "free" || kind === "shut") return null
  return Math.min(1, Math.max(0, (at - from) / (until - from)))
}

function stretchAt({ cells }: Row, open: Head["open"], at: number): Stretch {
  const cell = cells.find(({ s, e }) => Date.parse(s) <= at && at < Date.parse(e))
  if (cell) {
    return { kind: cell.k, from: Date.parse(cell.s), until: Date.parse(cell.e), reason: cell.reason ?? null }
  }
  const taken = earliest(
    cells.map(({ s }) => Date.parse(s)),
    at,
  )
  const window = open.find(([from, until]) => Date.parse(from) <= at && at < Date.parse(until))
  if (window) {
    return { kind: "free", from: at, until: Math.min(Date.parse(window[1]), taken ?? Infinity), reason: null }
  }
  const opens = earliest(
    open.map(([from]) => Date.parse(from)),
    at,
  )
  const until = Math.min(opens ?? Infinity, taken ?? Infinity)
  return { kind: "shut", from: at, until: until === Infinity ? null : until, reason: null }
}

function earliest(instants: readonly number[], after: number): number | null {
  const later = instants.filter(instant => instant > after)
  return later.length === 0 ? null : Math.min(...later)
}
