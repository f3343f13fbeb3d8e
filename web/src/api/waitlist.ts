/** What one waits for, and what is offered: GET and POST /api/waitlist, its position, leaving and claiming. */

import { queryOptions } from "@tanstack/react-query"
import type { Booking, Wanted } from "./bookings"
import { api, content } from "./client"
import { newKey } from "./key"
import { Problem } from "./problem"
import type { components } from "./schema"

export type Entry = components["schemas"]["EntryView"]

/** How often it is read again while one waits: word of a change may be lost. */
const PACE = 30_000

/** All that one waits for, and by how many milliseconds the server's clock is ahead of the device's. */
export const waitlistQuery = queryOptions({
  queryKey: ["waitlist", "own"],
  queryFn: async ({ signal }) => {
    const { items, now } = content(await api.GET("/api/waitlist", { signal }))
    return { entries: items, ahead: Date.parse(now) - Date.now() }
  },
  staleTime: 0,
  refetchInterval: query => (query.state.data?.entries.length ? PACE : false),
})

/** A court, or any of a kind, at a time. */
export interface Slot {
  readonly club: string
  readonly court_id: number | null
  readonly kind: string | null
  readonly start_ts: string
  readonly end_ts: string
}

/** The place in the line that one would have. */
export const placeQuery = (slot: Slot) =>
  queryOptions({
    queryKey: ["waitlist", "position", slot],
    queryFn: async ({ signal }) => {
      const { court_id, kind, club, start_ts, end_ts } = slot
      const query = { start_ts, end_ts, ...(court_id === null ? { kind, club } : { court_id }) }
      return content(await api.GET("/api/waitlist/position", { params: { query }, signal })).position
    },
    staleTime: 0,
  })

/** How somebody wants to wait. Prices are minor units, times instants. */
export interface Wish extends Pick<Wanted, "coach_id" | "equipment"> {
  readonly auto_book: boolean
  readonly max_price: number | null
  readonly not_after: string | null
}

/** Stand in the line. */
export async function joinWaitlist(slot: Slot, wish: Wish, key: string): Promise<Entry> {
  const body = { ...slot, ...wish, club: slot.court_id === null ? slot.club : null, user_email: null }
  return content(await api.POST("/api/waitlist", { body, params: { header: { "Idempotency-Key": key } } }))
}

/** Wait no more, or decline what is offered. */
export async function leaveWaitlist(id: string): Promise<void> {
  await api.DELETE("/api/waitlist/{entry_id}", { params: { path: { entry_id: id } } })
}

const keys = new Map<string, string>()

/** Book what is offered, at the price that was shown. Sent again because nobody knows how it went, it books once. */
export async function claimOffer(entry: Entry): Promise<Booking> {
  const offer = `${entry.id} ${entry.offer?.grid_ref}`
  const key = keys.get(offer) ?? newKey()
  keys.set(offer, key)
  const params = { path: { entry_id: entry.id }, header: { "Idempotency-Key": key } }
  const body = { expected_total: entry.offer?.price ?? null }
  try {
    return content(await api.POST("/api/waitlist/{entry_id}/claim", { params, body }))
  } catch (problem) {
    if (problem instanceof Problem && problem.status >= 400 && problem.status < 500) keys.delete(offer)
    throw problem
  }
}

/** The booking that an entry has become, if it has. */
export async function fetchOutcome(entry: Entry): Promise<Booking | undefined> {
  const query = { club: entry.club, status: "confirmed", from: entry.start_ts, to: entry.end_ts } as const
  const { items } = content(await api.GET("/api/bookings", { params: { query } }))
  return items.find(({ start_ts, end_ts }) => start_ts === entry.start_ts && end_ts === entry.end_ts)
}
