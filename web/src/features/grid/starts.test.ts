import { expect, it } from "vitest"
import type { Court } from "../../api/catalogue"
import type { Cell } from "../../live/protocol"
import { startsOf } from "./starts"
import { scaleOf } from "./timeline"

const at = (time: string) => Date.parse(`2026-12-01T${time}:00Z`)
const cell = (from: string, until: string, ref: string): Cell => ({
  s: `2026-12-01T${from}:00Z`,
  e: `2026-12-01T${until}:00Z`,
  k: "booked",
  ref,
})
const COURTS = [1, 2, 3].map(id => ({ id, name: `Court ${id}`, kind: id === 3 ? "padel" : "tennis" }) as Court)
const CELLS: Record<number, Cell[]> = {
  1: [cell("17:00", "18:00", "own"), cell("18:00", "19:00", "other")],
  2: [cell("18:00", "19:00", "held")],
}

function starts(now: string, minutes = 60) {
  const scale = scaleOf([["2026-12-01T16:00:00Z", "2026-12-01T20:00:00Z"]], 30)
  if (!scale) throw new Error("closed")
  const found = startsOf({
    ...{ scale, courts: COURTS, now: at(now), length: minutes * 60_000 },
    rowOf: ({ id }) => ({ court: id, v: 1, cells: CELLS[id] ?? [] }),
    isBookable: ({ id }, from) => id !== 3 || from < at("19:00"),
    mine: new Set(["own"]),
    held: new Map([["held", null]]),
    waits: [{ court: 1, kind: null, from: at("18:00"), until: at("19:00"), place: 2 }],
  })
  return new Map(found.map(start => [new Date(start.from).toISOString().slice(11, 16), start]))
}

const ids = (courts: readonly Court[] | undefined) => courts?.map(court => court.id)

it("tells what is free from what is taken and from one's own", () => {
  const five = starts("16:00").get("17:00")
  expect(ids(five?.free)).toEqual([2, 3])
  expect(five?.taken).toEqual([])
  expect(five?.own.map(({ court, offered }) => [court.id, offered])).toEqual([[1, false]])
  const six = starts("16:00").get("18:00")
  expect(ids(six?.free)).toEqual([3])
  expect(six?.taken.map(({ court, wait }) => [court.id, wait?.place])).toEqual([[1, 2]])
  expect(six?.own.map(({ court, offered }) => [court.id, offered])).toEqual([[2, true]])
})

it("marks the starts at which one has, is offered, or waits for a court, and not those before", () => {
  const marks = [...starts("16:00")].map(([time, { mark }]) => [time, mark && ("place" in mark ? 2 : mark.court.id)])
  expect(marks.slice(1, 6)).toEqual([
    ["16:30", null],
    ["17:00", 1],
    ["17:30", 1],
    ["18:00", 2],
    ["18:30", 2],
  ])
})

it("leaves out what is over, what is too long for the day, and courts that cannot be booked then", () => {
  expect([...starts("17:10", 120).keys()]).toEqual(["17:30", "18:00"])
  expect(ids(starts("16:00").get("19:00")?.free)).toEqual([1, 2])
})
