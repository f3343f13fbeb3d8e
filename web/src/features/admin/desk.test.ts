import { expect, it } from "vitest"
import type { DeskBooking } from "../../api/desk"
import { inOrder, isFound, whoOf } from "./desk"

function booking(court_id: number, start: string, name = "Pia Player", email = "pia@example.com"): DeskBooking {
  const start_ts = `2031-05-15T${start}:00+01:00`
  return { id: `${court_id} ${start}`, court_id, start_ts, booker: { id: 1, name, email } } as unknown as DeskBooking
}

it("lists bookings by time, then in the order of the courts, retired ones last", () => {
  const [late, second, first, retired] = [
    booking(5, "11:00"),
    booking(5, "10:00"),
    booking(7, "10:00"),
    booking(9, "10:00"),
  ]
  expect(inOrder([late, retired, second, first], [7, 5]).map(({ id }) => id)).toEqual([
    "7 10:00",
    "5 10:00",
    "9 10:00",
    "5 11:00",
  ])
})

it("finds people by part of a name or an address, whatever the case", () => {
  expect(isFound(booking(1, "10:00"), " pia p")).toBe(true)
  expect(isFound(booking(1, "10:00"), "PIA@")).toBe(true)
  expect(isFound(booking(1, "10:00"), "paul")).toBe(false)
})

it("calls people by name, by address where there is none, and says who was forgotten", () => {
  expect(whoOf(booking(1, "10:00").booker)).toBe("Pia Player")
  expect(whoOf(booking(1, "10:00", "").booker)).toBe("pia@example.com")
  expect(whoOf(booking(1, "10:00", "", "").booker)).toMatch(/Deleted/)
})
