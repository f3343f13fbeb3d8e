import { expect, it } from "vitest"
import type { DeskEntry } from "../../api/line"
import { inLineOrder } from "./line"

function entry(start: string, court_id: number | null, position: number): DeskEntry {
  const kind = court_id === null ? "tennis" : null
  return { start_ts: `2031-05-15T${start}:00+01:00`, court_id, kind, position } as unknown as DeskEntry
}

it("lists those who wait by time, then line by line, each in its order", () => {
  const ordered = [entry("10:00", 2, 1), entry("10:00", 2, 2), entry("10:00", 11, 1), entry("10:00", null, 2)]
  const later = entry("11:00", 1, 1)
  const [first, second, other, any] = ordered
  expect(inLineOrder([later, any, other, second, first] as DeskEntry[])).toEqual([...ordered, later])
})
