/** Dates, times and money, as people say them. Times are the club's, wherever the browser is. */

import { OTHER_DIGITS } from "./digits"
import { LOCALE } from "./words"

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY_LONG = 24 * HOUR

const cache = new Map<string, Intl.DateTimeFormat>()

function formatter(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone} ${JSON.stringify(options)}`
  const known = cache.get(key) ?? new Intl.DateTimeFormat(LOCALE, { ...options, timeZone: zone })
  cache.set(key, known)
  return known
}

const { hour12 } = new Intl.DateTimeFormat(LOCALE, { hour: "numeric" }).resolvedOptions()
const TIME = { hour: hour12 ? "numeric" : "2-digit", minute: "2-digit" } as const
const DAY = { weekday: "short", day: "numeric", month: "short" } as const

/** "Padel": what begins a line, where the club has it in small letters. */
export function capitalised(text: string): string {
  return text.charAt(0).toLocaleUpperCase(LOCALE) + text.slice(1)
}

/** An instant as RFC 3339 or in milliseconds since 1970. */
export type Instant = string | number

function dateOf(instant: Instant): Date {
  return new Date(instant)
}

/** "19:00" */
export function formatTime(instant: Instant, zone: string): string {
  return formatter(zone, TIME).format(dateOf(instant))
}

/** "19:00", "7 PM": a full hour, as short as it is said. */
export function formatHour(instant: Instant, zone: string): string {
  const isFull = formatter(zone, { minute: "numeric" }).format(dateOf(instant)) === "0"
  return hour12 && isFull ? formatter(zone, { hour: "numeric" }).format(dateOf(instant)) : formatTime(instant, zone)
}

/** "Tue 1 Dec" */
export function formatDate(instant: Instant, zone: string): string {
  return formatter(zone, DAY).format(dateOf(instant))
}

/** "Tue 1 Dec" of a local day, `2026-12-01`. */
export function formatDay(date: string): string {
  return formatter("UTC", DAY).format(dateOf(`${date}T12:00:00Z`))
}

/** "Tue" and "1 Dec" of a local day. */
export function formatDayParts(date: string): [weekday: string, day: string] {
  const noon = dateOf(`${date}T12:00:00Z`)
  const { weekday, ...day } = DAY
  return [formatter("UTC", { weekday }).format(noon), formatter("UTC", day).format(noon)]
}

/**
 * "19:00–20:30", "7:00–8:30 PM": the half of the day is said once where it is the same; in the hour that comes twice when
 * the clocks go back "01:30 (UTC+01:00)–01:30 (UTC+00:00)".
 */
export function formatTimes(start: Instant, end: Instant, zone: string): string {
  const from = formatTimeOnce(start, zone)
  const said = formatTimeOnce(end, zone)
  const half = halfOf(end, zone)
  const isBare = from === formatTime(start, zone) && said === formatTime(end, zone)
  if (!isBare || half === "" || halfOf(start, zone) !== half) return `${from}–${said}`
  const parts = formatter(zone, TIME).formatToParts(dateOf(start))
  const bare = parts.filter(({ type }) => type !== "dayPeriod").map(({ value }) => value)
  return `${bare.join("").trim()}–${said}`
}

/** "PM"; nothing where hours are counted to 24. */
function halfOf(instant: Instant, zone: string): string {
  const parts = formatter(zone, TIME).formatToParts(dateOf(instant))
  return parts.find(({ type }) => type === "dayPeriod")?.value ?? ""
}

/** Words of the server with times of the club's clock in them, "Peak 18:00–19:00, +20 %", as whoever reads has times. */
export function withTimes(text: string): string {
  return text.replace(/\b(\d\d:\d\d)–(\d\d:\d\d)\b/g, (_, from: string, until: string) =>
    formatTimes(`1970-01-01T${from}Z`, `1970-01-01T${until}Z`, "UTC"),
  )
}

/** "19:00", and which of the two where the wall clock shows it twice. */
export function formatTimeOnce(instant: Instant, zone: string): string {
  const time = formatTime(instant, zone)
  return comesTwice(dateOf(instant).getTime(), zone) ? `${time} (UTC${offsetOf(instant, zone)})` : time
}

const daysOfChange = new Map<string, boolean>()

function comesTwice(at: number, zone: string): boolean {
  // Asked for every cell of a day, and true of one day a year.
  const day = Math.floor(at / DAY_LONG)
  const key = `${zone} ${day}`
  const changes = daysOfChange.get(key) ?? shift((day - 1) * DAY_LONG, (day + 2) * DAY_LONG, zone) < 0
  daysOfChange.set(key, changes)
  // Whoever finds other clocks an hour or so away finds this time on them too, if they differ by as much.
  return changes && CHANGES.some(by => shift(at, at + by, zone) === -by || shift(at - by, at, zone) === -by)
}

/** By how much clocks go back: an hour, and half of one on Lord Howe Island. */
const CHANGES = [HOUR, HOUR / 2]

/** By how much the clocks are set between two instants, in milliseconds. */
function shift(from: number, to: number, zone: string): number {
  return (minutesOf(offsetOf(to, zone)) - minutesOf(offsetOf(from, zone))) * MINUTE
}

/** "+01:00" */
function offsetOf(instant: Instant, zone: string): string {
  const parts = formatter(zone, { timeZoneName: "longOffset" }).formatToParts(dateOf(instant))
  return parts.find(({ type }) => type === "timeZoneName")?.value.slice("GMT".length) || "+00:00"
}

function minutesOf(offset: string): number {
  const [hours = 0, minutes = 0] = offset.slice(1).split(":").map(Number)
  return (offset.startsWith("-") ? -1 : 1) * (hours * 60 + minutes)
}

/** "Tue 1 Dec, 19:00–20:30" */
export function formatSpan(start: Instant, end: Instant, zone: string): string {
  return `${formatDate(start, zone)}, ${formatTimes(start, end, zone)}`
}

/** "Tue 1 Dec, 19:00" */
export function formatMoment(instant: Instant, zone: string): string {
  return `${formatDate(instant, zone)}, ${formatTime(instant, zone)}`
}

/** The local day of an instant, `2026-12-01`. */
export function localDay(instant: Instant, zone: string): string {
  const options = { year: "numeric", month: "2-digit", day: "2-digit" } as const
  const parts = formatter(zone, options).formatToParts(dateOf(instant))
  const part = (type: string) => parts.find(found => found.type === type)?.value ?? ""
  return `${part("year")}-${part("month")}-${part("day")}`
}

/** The local day so many days after another. */
export function addDays(date: string, days: number): string {
  const day = new Date(`${date}T12:00:00Z`)
  day.setUTCDate(day.getUTCDate() + days)
  return day.toISOString().slice(0, 10)
}

/** How many digits of an amount are the minor unit's. */
export function minorDigits(currency: string): number {
  return OTHER_DIGITS[currency] ?? 2
}

/** "£24.00" of 2400 minor units of GBP. */
export function formatMoney(minor: number, currency: string): string {
  const digits = minorDigits(currency)
  const format = new Intl.NumberFormat(LOCALE, {
    style: "currency",
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
  return format.format(minor / 10 ** digits)
}

/** Whether the device's clock shows another time than the club's at some moment of a day. */
export function isElsewhere(zone: string, date: string): boolean {
  const here = new Intl.DateTimeFormat().resolvedOptions().timeZone
  return [`${date}T00:00:00Z`, `${date}T23:59:00Z`].some(
    instant => formatSpan(instant, instant, here) !== formatSpan(instant, instant, zone),
  )
}
