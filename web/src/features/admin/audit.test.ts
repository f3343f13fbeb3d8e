import { expect, it } from "vitest"
import type { AuditEvent } from "../../api/audit"
import { detailsOf, type Names, thingsOf, titleOf, whenOf } from "./audit"

const NAMES: Names = {
  zone: "Europe/London",
  court: id => `Court ${id}`,
  coach: id => `Coach ${id}`,
  person: id => `Person ${id}`,
  money: minor => `£${minor / 100}`,
  extras: ({ coach_id }) => (coach_id === null ? "" : `Coach ${coach_id}`),
}
const PLACE = { court_id: 5, coach_id: null, equipment: [], start_ts: "2031-05-15T09:00Z", end_ts: "2031-05-15T10:00Z" }

function event(event_type: string, payload: Record<string, unknown>, actor_id: number | null = 2): AuditEvent {
  return { id: "e", event_type, actor_id, payload, created_at: "2031-05-14T06:00Z" }
}

it("says of a booking where, when, for whom and for how much, in the club's time", () => {
  const booked = event("confirmed", { ...PLACE, coach_id: 1, user_id: 7, booking_id: "b", price_total: 2400 })
  expect(titleOf(booked)).toBe("Booked")
  expect(detailsOf(booked, NAMES)).toEqual(["Court 5, Thu 15 May, 10:00–11:00, Coach 1", "for Person 7", "£24"])
  expect(detailsOf({ ...booked, actor_id: 7 }, NAMES)).not.toContain("for Person 7")
})

it("says of a move where it was before, of what staff allowed what rule stood against it, of a late one its fee", () => {
  const previous = { ...PLACE, court_id: 2 }
  const moved = event("moved", { ...PLACE, previous, overrides: ["quota_exceeded"], fee: 500, user_id: 2 })
  expect(detailsOf(moved, NAMES)).toEqual([
    "Court 5, Thu 15 May, 10:00–11:00",
    "before: Court 2, Thu 15 May, 10:00–11:00",
    "fee £5",
    "overriding the rules (more than allowed)",
  ])
})

it("leads from what came of something to where it came from", () => {
  const promoted = event("promoted", { ...PLACE, booking_id: "b", entry_id: "e" }, null)
  expect(thingsOf(promoted)).toEqual([
    { kind: "booking", id: "b" },
    { kind: "entry", id: "e" },
  ])
  expect(thingsOf(event("session.begun", { user_id: 2 }))).toEqual([])
})

it("says what was changed of the club, and leaves out what is longer than a word", () => {
  const changed = event("catalogue.club_changed", { club_id: 1, changed: { policy: { horizon_days: 21, quotas: {} } } })
  expect(detailsOf(changed, NAMES)).toEqual(["Days ahead: 21", "quotas"])
  expect(detailsOf(event("catalogue.coach_changed", { coach_id: 3, changed: { rate: 4000 } }), NAMES)).toEqual([
    "Coach 3",
    "rate: 4000",
  ])
  expect(detailsOf(event("account.role_changed", { user_id: 7, before: "player", after: "staff" }), NAMES)).toEqual([
    "Person 7",
    "player → staff",
  ])
})

it("says a closure of some days with both of them", () => {
  const closed = event("closed", { court_ids: [1, 2], start_ts: "2031-05-15T09:00Z", end_ts: "2031-05-17T10:00Z" })
  expect(detailsOf(closed, NAMES)).toEqual(["Court 1, Court 2, Thu 15 May, 10:00 – Sat 17 May, 11:00"])
})

it("says when it was with its year, in the club's time", () => {
  expect(whenOf({ ...event("left", {}), created_at: "2030-12-31T23:30Z" }, "Europe/Paris")).toBe(
    "Wed 1 Jan 2031, 00:30",
  )
})

it("shows what it has no words for as it is called", () => {
  expect(titleOf(event("something.new", {}))).toBe("something.new")
})
