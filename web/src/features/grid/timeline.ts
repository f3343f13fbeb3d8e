/** A day as a line of time. Positions come from instants, so that a day of 23 or 25 hours is as long as it is. Pure. */

import type { Cell, Row } from "../../live/protocol"

/** From the first opening to the last closing, in milliseconds since 1970, and the step in which one may book. */
export interface Scale {
  readonly from: number
  readonly until: number
  readonly step: number
  readonly open: readonly Window[]
  /** When a coach is free, in order, where only such times are wanted. */
  readonly coached?: readonly Window[]
}

export type Window = readonly [from: number, until: number]

export interface Span {
  readonly from: number
  readonly until: number
}

/** A piece of a court's day: a step that is free or outside the opening hours, or something that is there. */
export interface Piece extends Span {
  readonly kind: "free" | "shut" | "noCoach" | Cell["k"]
  readonly cell: Cell | null
}

const MINUTE = 60_000
export const HOUR = 60 * MINUTE

/** The line of a day; null if the club is closed all day. */
export function scaleOf(open: readonly (readonly [string, string])[], stepMinutes: number): Scale | null {
  const windows = open.map(([from, until]) => [Date.parse(from), Date.parse(until)] as const)
  if (windows.length === 0) return null
  const from = Math.min(...windows.map(window => window[0]))
  const until = Math.max(...windows.map(window => window[1]))
  return { from, until, step: stepMinutes * MINUTE, open: windows }
}

/** Where an instant is, in percent of the line. */
export function placeOf(scale: Scale, instant: number): number {
  return ((Math.min(Math.max(instant, scale.from), scale.until) - scale.from) / (scale.until - scale.from)) * 100
}

/** The starts of the steps. */
export function stepsOf(scale: Scale): number[] {
  const count = Math.ceil((scale.until - scale.from) / scale.step)
  return Array.from({ length: count }, (_, index) => scale.from + index * scale.step)
}

/** What is not free, in the order of time. A cell may begin before the line and end after it. */
export function takenOf(row: Row | undefined): (Span & { cell: Cell })[] {
  const cells = row?.cells.map(cell => ({ from: Date.parse(cell.s), until: Date.parse(cell.e), cell })) ?? []
  return cells.sort((one, other) => one.from - other.from)
}

/** The pieces of a court's day from left to right: each step that is free, and what is there between them. */
export function piecesOf(scale: Scale, row: Row | undefined): Piece[] {
  const taken = takenOf(row).filter(span => span.until > scale.from && span.from < scale.until)
  const pieces: Piece[] = []
  let at = scale.from
  const fill = (until: number) => {
    while (at < until) {
      const next = Math.min(until, at + scale.step - ((at - scale.from) % scale.step))
      pieces.push({ kind: nothingThere(scale, at, next), cell: null, from: at, until: next })
      at = next
    }
  }
  for (const { cell, from, until } of taken) {
    fill(from)
    const start = Math.max(from, at)
    const end = Math.min(until, scale.until)
    if (end > start) pieces.push({ kind: cell.k, cell, from: start, until: end })
    at = Math.max(at, end)
  }
  fill(scale.until)
  return pieces
}

function nothingThere(scale: Scale, from: number, until: number): "free" | "shut" | "noCoach" {
  if (!isOpen(scale, from, until)) return "shut"
  return isCoached(scale, from, until) ? "free" : "noCoach"
}

/** Whether a coach is free for all of a span, where that is wanted. */
function isCoached({ coached }: Scale, from: number, until: number): boolean {
  return coached === undefined || coached.some(window => window[0] <= from && until <= window[1])
}

/** Times as the API has them: pairs of instants. */
export function windowsOf(free: readonly (readonly string[])[]): Window[] {
  return free.map(([from = "", until = ""]) => [Date.parse(from), Date.parse(until)])
}

/** Whether the club is open for all of a span. */
export function isOpen(scale: Scale, from: number, until: number): boolean {
  return scale.open.some(window => window[0] <= from && until <= window[1])
}

/** Whether a court is free for all of a span, as far as the grid knows. */
export function isFree(scale: Scale, row: Row | undefined, { from, until }: Span): boolean {
  return (
    isOpen(scale, from, until) &&
    isCoached(scale, from, until) &&
    takenOf(row).every(span => span.until <= from || span.from >= until)
  )
}

/** What stands in the way of a span and may go: bookings, holds, and closures, which may be lifted; null if nothing does. */
export function takenBy(scale: Scale, row: Row | undefined, { from, until }: Span): (Span & { cell: Cell }) | null {
  const there = takenOf(row).filter(span => span.from < until && span.until > from)
  return (isOpen(scale, from, until) && there[0]) || null
}

/** What spans can be booked beside a wanted one on the same court, nearest first. */
export function nearest(scale: Scale, row: Row | undefined, wanted: Span, now: number): Span[] {
  const length = wanted.until - wanted.from
  return stepsOf(scale)
    .filter(from => from > now && from !== wanted.from && isFree(scale, row, { from, until: from + length }))
    .sort((one, other) => Math.abs(one - wanted.from) - Math.abs(other - wanted.from))
    .map(from => ({ from, until: from + length }))
}

export function rfc(instant: number): string {
  return new Date(instant).toISOString().replace(".000", "")
}
