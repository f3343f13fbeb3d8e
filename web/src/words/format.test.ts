import { expect, it, vi } from "vitest"
import {
  addDays,
  formatDay,
  formatDayParts,
  formatHour,
  formatMoney,
  formatSpan,
  formatTimes,
  isElsewhere,
  localDay,
  withTimes,
} from "./format"

it("says times as people do, in the club's zone", () => {
  expect(formatSpan("2026-12-01T19:00:00+00:00", "2026-12-01T20:30:00+00:00", "Europe/London")).toMatch(
    /^Tue,? 1 Dec, 19:00–20:30$/,
  )
  expect(formatSpan("2026-12-01T19:00:00+00:00", "2026-12-01T20:30:00+00:00", "Asia/Kolkata")).toMatch(
    /^Wed,? 2 Dec, 00:30–02:00$/,
  )
})

it("knows the club's day on both sides of midnight and of a change of the clocks", () => {
  expect(localDay("2026-12-01T23:30:00Z", "Europe/Berlin")).toBe("2026-12-02")
  expect(localDay("2026-12-01T23:30:00Z", "America/New_York")).toBe("2026-12-01")
  expect(addDays("2026-03-28", 1)).toBe("2026-03-29")
  expect(addDays("2026-12-31", 1)).toBe("2027-01-01")
  expect(formatDay("2026-12-01")).toMatch(/^Tue,? 1 Dec$/)
  expect(formatHour("2026-12-01T07:00:00Z", "Europe/London")).toBe("07:00")
  expect(formatDayParts("2026-12-01")).toEqual(["Tue", "1 Dec"])
})

it("says which of the two, of times that come twice when the clocks go back", () => {
  const said = (start: string, end: string, zone: string) => formatTimes(start, end, zone)
  expect(said("2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z", "Europe/London")).toBe(
    "01:30 (UTC+01:00)–01:30 (UTC+00:00)",
  )
  expect(said("2027-10-30T23:30:00Z", "2027-10-31T02:00:00Z", "Europe/London")).toBe("00:30–02:00")
  // Half an hour there.
  expect(said("2027-04-03T14:30:00Z", "2027-04-03T15:30:00Z", "Australia/Lord_Howe")).toBe("01:30 (UTC+11:00)–02:00")
  expect(said("2027-04-03T15:00:00Z", "2027-04-03T15:30:00Z", "Australia/Lord_Howe")).toBe("01:30 (UTC+10:30)–02:00")
  expect(said("2027-03-28T00:30:00Z", "2027-03-28T01:00:00Z", "Europe/London")).toBe("00:30–02:00")
})

it("gives money from minor units, of currencies with other fractions too", () => {
  expect(formatMoney(2400, "GBP")).toBe("£24.00")
  expect(formatMoney(2400, "JPY")).toMatch(/2,400$/)
  expect(formatMoney(2400, "KWD")).toMatch(/2\.400$/)
  // Chromium's own table has none for these.
  expect(formatMoney(250000, "HUF")).toMatch(/2,500\.00$/)
  expect(formatMoney(2400, "IQD")).toMatch(/2\.400$/)
})

it("speaks of the club's zone when the clocks differ, not when the zones' names do", () => {
  const here = new Intl.DateTimeFormat().resolvedOptions().timeZone
  expect(isElsewhere(here, "2026-07-01")).toBe(false)
  expect([isElsewhere("Pacific/Kiritimati", "2026-07-01"), isElsewhere("Pacific/Pago_Pago", "2026-07-01")]).toContain(
    true,
  )
  const namesake = here === "UTC" ? "Europe/London" : here
  expect(isElsewhere(namesake, "2026-12-01")).toBe(false)
})

it("says times by the reader's clock everywhere, the half of the day once, and in the server's words too", async () => {
  const [start, end] = ["2026-12-01T19:00:00Z", "2026-12-01T20:30:00Z"]
  expect(formatTimes(start, end, "Europe/London")).toBe("19:00–20:30")
  expect(withTimes("Peak 18:00–19:00, +20 %")).toBe("Peak 18:00–19:00, +20 %")
  vi.stubGlobal("navigator", { language: "en-US" })
  vi.resetModules()
  const american = await import("./format")
  const said = (text: string) => text.replaceAll("\u202f", " ") // the space that belongs before "PM"
  expect(said(american.formatTimes(start, end, "Europe/London"))).toBe("7:00–8:30 PM")
  expect(said(american.formatTimes("2026-12-01T11:30:00Z", "2026-12-01T12:30:00Z", "UTC"))).toBe("11:30 AM–12:30 PM")
  expect(said(american.withTimes("Peak 18:00–19:00, +20 %"))).toBe("Peak 6:00–7:00 PM, +20 %")
  expect(said(american.withTimes("Night 23:00–00:00"))).toBe("Night 11:00 PM–12:00 AM")
  expect(american.withTimes("Racket × 2")).toBe("Racket × 2")
  vi.unstubAllGlobals()
})
