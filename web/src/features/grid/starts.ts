/** The starts of a day for a small window: at each what is free, what is taken, and what is one's own. Pure. */

import type { Court } from "../../api/catalogue"
import type { Cell, Row } from "../../live/protocol"
import { isOn, type Wait } from "../waitlist/wait"
import { isFree, type Scale, type Span, stepsOf, takenBy, takenOf } from "./timeline"

/** What somebody has on a court, or what is held for them there. */
export interface Own extends Span {
  readonly court: Court
  readonly cell: Cell
  readonly offered: boolean
}

/** A court that may be waited for, and the place in the line where one does. */
export interface Taken {
  readonly court: Court
  readonly wait: Wait | null
}

export interface Start extends Span {
  readonly free: readonly Court[]
  readonly taken: readonly Taken[]
  /** What meets the time. */
  readonly own: readonly Own[]
  /** What stands at the start itself, to be marked there. */
  readonly mark: Own | Wait | null
}

export interface Looked {
  readonly scale: Scale
  readonly courts: readonly Court[]
  rowOf(court: Court): Row | undefined
  /** Whether the court can be booked for so long from then, whoever has it. */
  isBookable(court: Court, from: number): boolean
  readonly now: number
  /** How long, in milliseconds. */
  readonly length: number
  /** The `grid_ref`s of one's own bookings. */
  readonly mine: ReadonlySet<string>
  /** What is held for whoever looks, by its name on the grid. */
  readonly held: ReadonlyMap<string, unknown>
  readonly waits: readonly Wait[]
}

/** The starts that are still to come. */
export function startsOf(looked: Looked): Start[] {
  const { scale, courts, rowOf, isBookable, now, length, waits } = looked
  const own = courts.flatMap(court => ownOn(court, looked))
  const known = waits.filter(wait => courts.some(court => isOn(wait, court)))
  return stepsOf(scale)
    .filter(from => from >= now && from + length <= scale.until)
    .map(from => {
      const span = { from, until: from + length }
      const those = own.filter(one => meets(one, span))
      const others = courts.filter(court => isBookable(court, from) && those.every(one => one.court.id !== court.id))
      const isAt = (at: Span) => at.from <= from && from < at.until
      return {
        ...span,
        free: others.filter(court => isFree(scale, rowOf(court), span)),
        taken: others
          .filter(court => takenBy(scale, rowOf(court), span))
          .map(court => ({ court, wait: waits.find(wait => isOn(wait, court) && meets(wait, span)) ?? null })),
        own: those,
        mark: those.find(isAt) ?? known.find(isAt) ?? null,
      }
    })
}

function ownOn(court: Court, { rowOf, mine, held }: Looked): Own[] {
  return takenOf(rowOf(court)).flatMap(({ cell, ...span }) => {
    const offered = held.has(cell.ref ?? "")
    return offered || mine.has(cell.ref ?? "") ? [{ ...span, court, cell, offered }] : []
  })
}

function meets(one: Span, other: Span): boolean {
  return one.from < other.until && one.until > other.from
}
