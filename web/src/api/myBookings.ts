/** One's own bookings: GET /api/bookings, POST /api/bookings/{id}/cancel, PATCH /api/bookings/{id}, and what a move costs. */

import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query"
import { api, content } from "./client"
import type { components } from "./schema"

export type Booking = components["schemas"]["BookingView"]
export type Price = components["schemas"]["Price"]

/** Where a booking shall go; times are the club's local time, `2026-12-01T19:00`. */
export interface Move {
  readonly court_id: number
  readonly start_ts: string
  readonly end_ts: string
}

/** Days of one page of the past. */
const WINDOW = 90 * 86_400_000

/** What is running or to come, a page at a time. */
export const upcomingQuery = infiniteQueryOptions({
  queryKey: ["bookings", "upcoming"],
  queryFn: ({ pageParam, signal }) => list({ from: new Date().toISOString(), cursor: pageParam, limit: 20 }, signal),
  initialPageParam: null as string | null,
  getNextPageParam: page => page.next,
  staleTime: 0,
})

/** What is over, the latest first, 90 days at a time: the API lists in the order of time. */
export const pastQuery = infiniteQueryOptions({
  queryKey: ["bookings", "past"],
  queryFn: async ({ pageParam, signal }) => {
    const until = pageParam ?? Date.now()
    const from = until - WINDOW
    const items: Booking[] = []
    let cursor: string | null = null
    do {
      const range = { from: new Date(from).toISOString(), to: new Date(until).toISOString() }
      const page: components["schemas"]["BookingPage"] = await list({ ...range, cursor, limit: 200 }, signal)
      items.push(...page.items)
      cursor = page.next
    } while (cursor)
    const ended = items.filter(({ end_ts }) => Date.parse(end_ts) > from && Date.parse(end_ts) <= until)
    return { from, items: ended.reverse() }
  },
  initialPageParam: null as number | null,
  getNextPageParam: page => page.from,
  staleTime: 0,
})

/** What a booking would cost there; `email` names its owner, if somebody else. What is taken is no matter to it. */
export const moveQuoteQuery = (booking: Booking, move: Move, email?: string) =>
  queryOptions({
    queryKey: ["quote", "move", booking.id, move],
    queryFn: async ({ signal }) => {
      const { coach_id, equipment } = booking
      const body = { ...move, coach_id, equipment, user_email: email ?? null, waitlist: false, expected_total: null }
      return content(await api.POST("/api/quotes", { body, signal }))
    },
    staleTime: 0,
  })

/** Give a booking up. */
export async function cancelBooking(id: string): Promise<Booking> {
  return content(await api.POST("/api/bookings/{booking_id}/cancel", { params: { path: { booking_id: id } } }))
}

/** Move a booking, at the price that was shown; refused, it stays where it was. */
export async function moveBooking(id: string, move: Move, total: number): Promise<Booking> {
  const body = { ...move, expected_total: total }
  return content(await api.PATCH("/api/bookings/{booking_id}", { params: { path: { booking_id: id } }, body }))
}

interface Range {
  readonly from: string
  readonly to?: string
  readonly cursor: string | null
  readonly limit: number
}

async function list(range: Range, signal: AbortSignal) {
  return content(await api.GET("/api/bookings", { params: { query: { ...range, status: "confirmed" } }, signal }))
}
