import { expect, test } from "vitest"
import type { Cell } from "../../live/protocol"
import { columnsFor } from "./layout"
import { hoursOf, nightOf, progressOf, statusOf } from "./status"

const at = (time: string) => Date.parse(`2026-12-01T${time}:00Z`)
const cell = (s: string, e: string, k: Cell["k"] = "booked"): Cell => ({
  s: `2026-12-01T${s}:00Z`,
  e: `2026-12-01T${e}:00Z`,
  k,
})
const OPEN = [["2026-12-01T07:00:00Z", "2026-12-01T22:00:00Z"]] as const

function told(time: string, ...cells: Cell[]): string[] {
  const { now, next } = statusOf({ court: 1, v: 1, cells }, OPEN, at(time))
  const clock = (instant: number) => new Date(instant).toISOString().slice(11, 16)
  return [
    now.until === null ? now.kind : `${now.kind} until ${clock(now.until)}`,
    ...next.map(({ from, kind }) => `${clock(from)} ${kind}`),
  ]
}

test("a free court is free until somebody comes, or the club closes", () => {
  expect(told("19:00", cell("19:30", "20:00"))).toEqual(["free until 19:30", "19:30 booked", "20:00 free"])
  expect(told("19:00")).toEqual(["free until 22:00"])
})

test("a club that closes past midnight is open after it, and the night to come is seen before it", () => {
  const monday = [["2026-11-30T10:00:00Z", "2026-12-01T02:00:00Z"]] as const
  const tuesday = [["2026-12-01T10:00:00Z", "2026-12-02T02:00:00Z"]] as const
  const open = hoursOf(monday, tuesday)
  const row = { court: 1, v: 1, cells: [] }
  expect(statusOf(row, open, at("00:30")).now).toMatchObject({ kind: "free", until: at("02:00") })
  expect(statusOf(row, open, at("02:30")).now).toMatchObject({ kind: "shut", until: at("10:00") })
  const late = { s: "2026-12-02T00:30:00Z", e: "2026-12-02T01:30:00Z", k: "booked" } as const
  const over = { s: "2026-12-01T23:00:00Z", e: "2026-12-02T00:30:00Z", k: "booked" } as const
  const night = nightOf({ ...row, cells: [over] }, { ...row, cells: [over, late] })
  expect(night.cells).toEqual([over, late])
  expect(statusOf(night, open, at("23:30")).next.map(({ kind }) => kind)).toEqual(["booked", "free"])
  expect(
    hoursOf([["2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z"]], [["2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z"]]),
  ).toHaveLength(1)
})

test("a booked court is booked until its people go, and the next one is another booking", () => {
  const cells = [cell("18:30", "19:30"), cell("19:30", "20:00"), cell("20:00", "21:00", "coaching")]
  expect(told("19:00", ...cells)).toEqual(["booked until 19:30", "19:30 booked", "20:00 coaching"])
})

test("a court changes at the minute itself", () => {
  expect(told("19:30", cell("18:30", "19:30"))).toEqual(["free until 22:00"])
  expect(told("18:30", cell("18:30", "19:30"))).toEqual(["booked until 19:30", "19:30 free"])
})

test("outside the hours it is shut until they begin, or a booking that staff have made", () => {
  expect(told("06:00")).toEqual(["shut until 07:00", "07:00 free"])
  expect(told("22:30", cell("23:00", "23:30"))).toEqual(["shut until 23:00", "23:00 booked"])
  expect(told("22:30")).toEqual(["shut"])
})

test("progress is what is over of a booking; nobody waits for a free court", () => {
  const booked = statusOf({ court: 1, v: 1, cells: [cell("19:00", "20:00")] }, OPEN, at("19:15")).now
  expect(progressOf(booked, at("19:15"))).toBe(0.25)
  const free = statusOf({ court: 1, v: 1, cells: [] }, OPEN, at("19:15")).now
  expect(progressOf(free, at("19:15"))).toBeNull()
})

test("tiles stand side by side where the wall is wide and below each other where it is high", () => {
  expect(columnsFor(2, 1920, 885)).toBe(1)
  expect(columnsFor(30, 1920, 885)).toBe(5)
  expect(columnsFor(30, 1080, 1574)).toBe(3)
  expect(columnsFor(1, 1920, 885)).toBe(1)
})
