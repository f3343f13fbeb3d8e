import { expect, it } from "vitest"
import type { AdminClub } from "../../api/rules"
import { bodyOf, changedRules, draftOf, inWords, SECTIONS } from "./rules"

const CLUB: AdminClub = {
  id: 1,
  version: 3,
  slug: "riverside",
  name: "Riverside",
  zone: "Europe/London",
  currency: "GBP",
  grid_visibility: "public",
  stacking: "additive",
  policy: {
    granularity: 30,
    min_duration: 60,
    max_duration: 120,
    horizon_days: 14,
    horizon_release: "07:00",
    tier_horizon_days: { gold: 21 },
    refuse_gaps: true,
    gap_exempt_minutes: 120,
    cancel_deadline: 1440,
    late_cancel_fee_percent: 50,
    verified_email_required: false,
    offer_minutes: 30,
    offer_cutoff: 15,
    tier_priority: { gold: 2, junior: -1 },
    quotas: { active_bookings: 3, minutes_per_day: null, minutes_per_week: null, prime_minutes_per_week: 180 },
    prime_windows: [{ weekday: 0, opens: "18:00", closes: "21:00" }],
  },
}

const draft = draftOf(CLUB)

it("has every rule of a club in a section, once", () => {
  expect(SECTIONS.flatMap(([, rules]) => rules).sort()).toEqual(Object.keys(draft).sort())
})

it("sends what was changed and nothing else", () => {
  const other = { ...draft, horizon_days: 21, grid_visibility: "members" as const }
  const changed = changedRules(draft, other)
  expect(changed).toEqual(["grid_visibility", "horizon_days"])
  expect(bodyOf(changed, other)).toEqual({ grid_visibility: "members", policy: { horizon_days: 21 } })
  expect(changedRules(draft, { ...draft })).toEqual([])
})

it("sends all limits with one, as the server replaces them together", () => {
  const other = { ...draft, active_bookings: null }
  expect(bodyOf(changedRules(draft, other), other).policy).toEqual({
    quotas: { active_bookings: null, minutes_per_day: null, minutes_per_week: null, prime_minutes_per_week: 180 },
  })
})

it("keeps tiers together on the page and apart for the server, without what is as for everybody", () => {
  expect(draft.tiers).toEqual([
    { tier: "gold", days: 21, priority: 2 },
    { tier: "junior", days: null, priority: -1 },
  ])
  const other = { ...draft, tiers: [...draft.tiers, { tier: "silver", days: 18, priority: null }] }
  expect(bodyOf(changedRules(draft, other), other).policy).toEqual({
    tier_horizon_days: { gold: 21, silver: 18 },
    tier_priority: { gold: 2, junior: -1 },
  })
})

it("says what rules are", () => {
  expect(inWords(draft, "cancel_deadline")).toBe("1 day")
  expect(inWords(draft, "gap_exempt_minutes")).toBe("2 hours")
  expect(inWords(draft, "minutes_per_day")).toBe("no limit")
  expect(inWords(draft, "tiers")).toBe("gold: 21 days, priority 2; junior: priority -1")
  expect(inWords(draft, "prime_windows")).toBe("Mon 18:00–21:00")
})
