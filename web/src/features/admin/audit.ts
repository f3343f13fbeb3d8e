/** What the audit trail's events say, in words. */

import type { AuditEvent } from "../../api/audit"
import type { DeskBooking, Named } from "../../api/desk"
import { formatDate, formatDay, formatMoment, formatSpan, formatTime, localDay } from "../../words/format"
import { staff } from "../../words/staff"
import { whoOf } from "./desk"

const says = staff.audit

/** How things and people of the club are called. */
export interface Names {
  readonly zone: string
  readonly court: (id: number) => string
  readonly coach: (id: number) => string
  readonly person: (id: number) => string
  readonly money: (minor: number) => string
  readonly extras: (wish: Pick<DeskBooking, "coach_id" | "equipment">) => string
}

/** Something that has a history of its own. */
export interface Thing {
  readonly kind: "booking" | "entry" | "closure"
  readonly id: string
}

type Payload = Readonly<Record<string, unknown>>

export function titleOf({ event_type }: AuditEvent): string {
  return says.events[event_type] ?? event_type
}

/** When it was, with the year: the trail goes far back. */
export function whenOf({ created_at }: AuditEvent, zone: string): string {
  return `${formatDate(created_at, zone)} ${localDay(created_at, zone).slice(0, 4)}, ${formatTime(created_at, zone)}`
}

/** What an event is about, the most telling first. */
export function thingsOf({ payload }: AuditEvent): Thing[] {
  return (["booking", "entry", "closure"] as const).flatMap(kind => {
    const id = text(payload, `${kind}_id`)
    return id ? [{ kind, id }] : []
  })
}

/** All that is known of an event besides, part by part. */
export function detailsOf({ event_type, actor_id, payload }: AuditEvent, names: Names): string[] {
  const user = number(payload, "user_id")
  const concerned = user === null || user === actor_id ? "" : names.person(user)
  const held = number(payload, "held_court_id")
  const until = text(payload, "until")
  const fee = number(payload, "fee")
  const price = number(payload, "price_total")
  return [
    namedThing(payload, names),
    placeOf(payload, names),
    event_type.includes(".") ? concerned : concerned && says.forWhom(concerned),
    held !== null && held !== number(payload, "court_id") && names.court(held),
    until && says.until(formatTime(until, names.zone)),
    payload["previous"] ? says.before(placeOf(payload["previous"] as Payload, names)) : "",
    price !== null && names.money(price),
    fee !== null && says.fee(names.money(fee)),
    reasonOf(event_type, text(payload, "reason")),
    ...list(payload, "overrides").map(code => says.beyond(says.overrides[code] ?? plain(code))),
    "before" in payload && says.fromTo(text(payload, "before"), text(payload, "after")),
    list(payload, "scopes").join(", "),
    ...changesOf(payload),
  ].filter((part): part is string => typeof part === "string" && part !== "")
}

/** "Court 5, Wed 2 Dec, 10:00–11:00, Coach Mei Tanaka" */
function placeOf(payload: Payload, names: Names): string {
  const court = number(payload, "court_id")
  const kind = text(payload, "kind")
  const courts = court !== null ? [court] : numbers(payload, "court_ids")
  const place = courts.length > 0 ? courts.map(names.court).join(", ") : kind && says.anyOf(kind)
  const [start, end] = [text(payload, "start_ts"), text(payload, "end_ts")]
  if (!start || !end) return "court_id" in payload || "court_ids" in payload ? place : ""
  const { zone } = names
  const span =
    localDay(start, zone) === localDay(Date.parse(end) - 1, zone)
      ? formatSpan(start, end, zone)
      : `${formatMoment(start, zone)} – ${formatMoment(end, zone)}`
  const equipment = (payload["equipment"] as DeskBooking["equipment"] | undefined) ?? []
  const extras = names.extras({ coach_id: number(payload, "coach_id"), equipment })
  return [place, span, extras].filter(Boolean).join(", ")
}

/** What of the club's set-up was changed. */
function namedThing(payload: Payload, names: Names): string {
  const day = text(payload, "day")
  if (day) return formatDay(day)
  const called = text((payload["values"] as Payload | undefined) ?? {}, "name")
  if (called) return called
  const coach = number(payload, "coach_id")
  if (coach !== null && !("start_ts" in payload)) return names.coach(coach)
  for (const kind of ["equipment", "rule", "screen"] as const) {
    const id = number(payload, `${kind}_id`)
    if (id !== null) return says.numbered[kind](id)
  }
  return ""
}

function reasonOf(event_type: string, reason: string): string {
  if (!reason) return ""
  return event_type === "released" ? (says.releases[reason] ?? plain(reason)) : says.reason(reason)
}

/** "base rate: 2200"; of what is longer than a word only that it was changed. */
function changesOf(payload: Payload): string[] {
  const changed = payload["changed"]
  if (Array.isArray(changed)) return changed.map(field => plain(String(field)))
  if (typeof changed !== "object" || changed === null) return []
  const { policy, ...fields } = changed as Record<string, unknown>
  return Object.entries({ ...fields, ...(policy as object | undefined) }).map(([field, value]) => {
    const label = (staff.rules.labels as Readonly<Record<string, string>>)[field] ?? plain(field)
    return typeof value === "object" ? label : says.becomes(label, String(value))
  })
}

function plain(code: string): string {
  return code.replaceAll("_", " ")
}

function text(payload: Payload, key: string): string {
  const value = payload[key]
  return typeof value === "string" ? value : ""
}

function number(payload: Payload, key: string): number | null {
  const value = payload[key]
  return typeof value === "number" ? value : null
}

function numbers(payload: Payload, key: string): number[] {
  const value = payload[key]
  return Array.isArray(value) ? value.filter(each => typeof each === "number") : []
}

function list(payload: Payload, key: string): string[] {
  const value = payload[key]
  return Array.isArray(value) ? value.filter(each => typeof each === "string") : []
}

/** Who somebody is to the club's staff; whom they do not know is but a number. */
export function nameOf(known: Named | undefined, id: number): string {
  return known ? whoOf(known) : says.stranger(id)
}
