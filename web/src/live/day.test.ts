import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Day, digestOf, takeRow, takeSnap, wishFor } from "./day"
import type { Row, Snap } from "./protocol"

const TOPIC = { club: "riverside", date: "2026-12-01" }

function snap(rows: Row[], more: Partial<Snap> = {}): Snap {
  return { ...TOPIC, epoch: "one", config: 1, open: [["a", "b"]], rows, full: true, ...more }
}

function row(court: number, v: number): Row {
  return { court, v, cells: [{ s: `${court}`, e: `${v}`, k: "booked" }] }
}

function versions(day: Day): Record<string, number> {
  return wishFor(TOPIC, day).have as Record<string, number>
}

describe("a day", () => {
  it("takes a newer row and drops equal and older ones", () => {
    const day = takeSnap(undefined, snap([row(1, 4)]))
    expect(takeRow(day, "one", row(1, 4))).toBe(day)
    expect(takeRow(day, "one", row(1, 3))).toBe(day)
    expect(takeRow(day, "one", row(1, 5))?.rows.get(1)).toEqual(row(1, 5))
  })

  it("is the same object after a snap that tells nothing new", () => {
    const day = takeSnap(undefined, snap([row(1, 4), row(2, 0)]))
    expect(takeSnap(day, snap([row(1, 4), row(2, 0)]))).toBe(day)
    expect(takeSnap(day, snap([], { full: false }))).toBe(day)
    expect(takeSnap(day, snap([], { full: false, config: 2 }))).not.toBe(day)
    expect(takeSnap(day, snap([], { full: false, open: [["a", "c"]] }))).not.toBe(day)
  })

  it("loses the courts that a full snap does not list, and keeps them after one that is not full", () => {
    const day = takeSnap(undefined, snap([row(1, 4), row(2, 1)]))
    expect(versions(takeSnap(day, snap([row(1, 4)])))).toEqual({ 1: 4 })
    expect(versions(takeSnap(day, snap([row(1, 5)], { full: false })))).toEqual({ 1: 5, 2: 1 })
  })

  it("is forgotten when the epoch is another one, however old its versions", () => {
    const day = takeSnap(undefined, snap([row(1, 40), row(2, 7)]))
    expect(versions(takeSnap(day, snap([row(1, 3)], { epoch: "two" })))).toEqual({ 1: 3 })
    expect(takeRow(day, "two", row(1, 41))).toBeNull()
  })

  it("ends with the newest version of every row, in whatever order and however often rows come", () => {
    const newest = fc.array(fc.nat(30), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(
        newest.chain(last => {
          const all = last.flatMap((top, court) => Array.from({ length: top + 1 }, (_, v) => row(court, v)))
          const repeated = fc.array(fc.constantFrom(...all), { maxLength: 40 })
          const starts = fc.tuple(...last.map(top => fc.nat(top)))
          return fc.tuple(
            fc.constant(last),
            starts,
            repeated.chain(more => fc.shuffledSubarray([...all, ...more], { minLength: all.length + more.length })),
            fc.nat(all.length),
          )
        }),
        ([last, starts, told, when]) => {
          let day: Day | null = takeSnap(undefined, snap(starts.map((v, court) => row(court, v))))
          for (const [index, one] of told.entries()) {
            // A snap may be older than rows that were told already, or newer than rows that are still to come.
            if (index === when) day = takeSnap(day, snap(starts.map((v, court) => row(court, v))))
            day = takeRow(day, "one", one)
            if (!day) throw new Error("the epoch is the same")
          }
          expect(versions(day)).toEqual(Object.fromEntries(last.map((v, court) => [court, v])))
          for (const kept of day.rows.values()) expect(kept).toEqual(row(kept.court, kept.v))
        },
      ),
    )
  })

  it("has the digest that the server gives for the same state", () => {
    // From `digest_of("3f1c9a", [(10, 3), (2, 41), (1, 0)])` in server/domain/grid.py.
    const day = takeSnap(undefined, snap([row(10, 3), row(2, 41), row(1, 0)], { epoch: "3f1c9a" }))
    expect(digestOf(day)).toBe("774e7e4f747da0d3")
  })
})
