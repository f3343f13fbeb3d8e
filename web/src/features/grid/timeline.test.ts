import { expect, it } from "vitest"
import type { Cell } from "../../live/protocol"
import { HOUR, isFree, nearest, piecesOf, placeOf, scaleOf, stepsOf, takenBy } from "./timeline"

const at = (text: string) => Date.parse(text)
const row = (...cells: Cell[]) => ({ court: 1, v: 1, cells })

function dayOf(open: [string, string][]) {
  const scale = scaleOf(open, 30)
  if (!scale) throw new Error("closed")
  return scale
}

const DAY = dayOf([["2026-12-01T07:00:00Z", "2026-12-01T10:00:00Z"]])

it("gives days on which the clocks change as many hours as they have", () => {
  expect(stepsOf(dayOf([["2026-10-25T00:00:00+01:00", "2026-10-26T00:00:00Z"]]))).toHaveLength(50)
  const short = dayOf([["2026-03-29T00:00:00Z", "2026-03-30T00:00:00+01:00"]])
  expect(stepsOf(short)).toHaveLength(46)
  expect(placeOf(short, at("2026-03-29T12:30:00+01:00"))).toBe(50)
})

it("covers the day without gap or overlap, whatever is there", () => {
  const pieces = piecesOf(
    DAY,
    row(
      { s: "2026-12-01T08:15:00Z", e: "2026-12-01T09:00:00Z", k: "booked" },
      { s: "2026-11-30T23:00:00Z", e: "2026-12-01T07:30:00Z", k: "closed" },
      { s: "2026-12-01T08:30:00Z", e: "2026-12-01T09:30:00Z", k: "closed" },
    ),
  )
  expect(pieces.map(piece => piece.kind)).toEqual(["closed", "free", "free", "booked", "closed", "free"])
  expect(pieces[0]?.from).toBe(DAY.from)
  expect(pieces.at(-1)?.until).toBe(DAY.until)
  for (const [index, piece] of pieces.entries()) if (index > 0) expect(piece.from).toBe(pieces[index - 1]?.until)
})

it("knows what is shut between two openings", () => {
  const siesta = dayOf([
    ["2026-12-01T07:00:00Z", "2026-12-01T08:00:00Z"],
    ["2026-12-01T09:00:00Z", "2026-12-01T10:00:00Z"],
  ])
  expect(piecesOf(siesta, row()).map(piece => piece.kind)).toEqual(["free", "free", "shut", "shut", "free", "free"])
})

it("offers the nearest free times first, never past ones", () => {
  const taken = row({ s: "2026-12-01T08:00:00Z", e: "2026-12-01T09:00:00Z", k: "booked" })
  const wanted = { from: at("2026-12-01T08:00:00Z"), until: at("2026-12-01T09:00:00Z") }
  expect(isFree(DAY, taken, wanted)).toBe(false)
  expect(nearest(DAY, taken, wanted, 0).map(span => span.from)).toEqual([wanted.from - HOUR, wanted.from + HOUR])
  expect(nearest(DAY, taken, wanted, wanted.from).map(span => span.from)).toEqual([wanted.from + HOUR])
})

it("tells what may go from what is free or outside the hours", () => {
  const taken = row(
    { s: "2026-12-01T07:30:00Z", e: "2026-12-01T08:00:00Z", k: "held", ref: "h" },
    { s: "2026-12-01T08:00:00Z", e: "2026-12-01T09:00:00Z", k: "booked", ref: "b" },
    { s: "2026-12-01T09:00:00Z", e: "2026-12-01T09:30:00Z", k: "closed", ref: "c" },
  )
  const found = (from: string, until: string) =>
    takenBy(DAY, taken, { from: at(`2026-12-01T${from}:00Z`), until: at(`2026-12-01T${until}:00Z`) })?.cell.ref
  expect(found("08:00", "08:30")).toBe("b")
  expect(found("07:30", "08:30")).toBe("h")
  expect(found("07:00", "07:30")).toBeUndefined() // free
  expect(found("08:30", "09:30")).toBe("b")
  expect(found("09:00", "09:30")).toBe("c") // a closure may be lifted
  expect(found("06:30", "08:30")).toBeUndefined() // before the opening
  expect(found("09:30", "10:00")).toBeUndefined()
})
