/** What is known of one club-day, and how messages change it. Pure: a day that changes is a new object. */

import type { Row, Snap, Topic, Wish } from "./protocol"
import { sha256 } from "./sha256"

export interface Day extends Topic {
  readonly epoch: string
  readonly config: number
  readonly open: readonly (readonly [string, string])[]
  readonly rows: ReadonlyMap<number, Row>
}

/** The day after a snap; the same object if the snap tells nothing new. */
export function takeSnap(day: Day | undefined, snap: Snap): Day {
  const known = day?.epoch === snap.epoch ? day : undefined
  const rows = new Map(known?.rows)
  for (const row of snap.rows) take(rows, row)
  if (snap.full) {
    const listed = new Set(snap.rows.map(row => row.court))
    for (const court of rows.keys()) if (!listed.has(court)) rows.delete(court)
  }
  if (known && known.config === snap.config && sameOpen(known.open, snap.open) && sameRows(known.rows, rows)) {
    return known
  }
  return { club: snap.club, date: snap.date, epoch: snap.epoch, config: snap.config, open: snap.open, rows }
}

/**
 * The day after a row; the same object if the row is not newer. A row of another epoch says nothing about the other
 * courts, so it gives `null`: the whole day has to be asked for.
 */
export function takeRow(day: Day, epoch: string, row: Row): Day | null {
  if (epoch !== day.epoch) return null
  const rows = new Map(day.rows)
  return take(rows, row) ? { ...day, rows } : day
}

/** The digest that the server's ping gives for a day that is the same. */
export function digestOf(day: Pick<Day, "epoch" | "rows">): string {
  const courts = [...day.rows.values()].sort((one, other) => one.court - other.court)
  return sha256(day.epoch + courts.map(row => `;${row.court}:${row.v}`).join("")).slice(0, 16)
}

/** How to ask for a day: with what is known of it, so that only the rest is sent. */
export function wishFor(topic: Topic, day: Day | undefined): Wish {
  const wish = { club: topic.club, date: topic.date }
  if (!day) return wish
  return { ...wish, epoch: day.epoch, have: Object.fromEntries([...day.rows].map(([court, row]) => [court, row.v])) }
}

function take(rows: Map<number, Row>, row: Row): boolean {
  if (row.v <= (rows.get(row.court)?.v ?? -1)) return false
  rows.set(row.court, row)
  return true
}

function sameRows(some: ReadonlyMap<number, Row>, others: ReadonlyMap<number, Row>): boolean {
  return some.size === others.size && [...some].every(([court, row]) => others.get(court) === row)
}

function sameOpen(some: Day["open"], others: Day["open"]): boolean {
  return (
    some.length === others.length &&
    some.every(([from, until], index) => from === others[index]?.[0] && until === others[index]?.[1])
  )
}
