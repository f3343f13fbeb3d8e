/** What a booking needs to know, and booking itself: days, prices, availability, quotes, bookings. */

import { queryOptions } from "@tanstack/react-query"
import { addDays } from "../words/format"
import { API } from "./address"
import { api, content } from "./client"
import type { components } from "./schema"

export type Booking = components["schemas"]["BookingView"]
export type Availability = components["schemas"]["AvailabilityView"]
export type Price = components["schemas"]["Price"]

/** What somebody wants. Times are instants, RFC 3339. */
export interface Wanted {
  readonly court_id: number
  readonly start_ts: string
  readonly end_ts: string
  readonly coach_id: number | null
  readonly equipment: { equipment_id: number; quantity: number }[]
  /** Whom it is for; null for oneself. Others are for staff. */
  readonly user_email: string | null
}

/** How full each day is, from one local day to another. */
export const daysQuery = (club: string, from: string, to: string) =>
  queryOptions({
    queryKey: ["days", club, from, to],
    queryFn: async ({ signal }) =>
      content(await api.GET("/api/days", { params: { query: { club, from, to } }, signal })).items,
  })

/** What bookings of so many minutes cost on each court, by start. Rules may look at how long ahead a booking is made. */
export const pricesQuery = (club: string, date: string, config: number, minutes: number) =>
  queryOptions({
    queryKey: ["prices", club, date, config, minutes],
    queryFn: async ({ signal }) =>
      content(await api.GET("/api/prices", { params: { query: { club, date, minutes } }, signal })).items,
    staleTime: 300_000,
  })

/** What is free for all of an interval; for members. Never kept: it changes while one looks. */
export const availabilityQuery = (club: string, start_ts: string, end_ts: string) =>
  queryOptions({
    queryKey: ["availability", club, start_ts, end_ts],
    queryFn: async ({ signal }) =>
      content(await api.GET("/api/availability", { params: { query: { club, start_ts, end_ts } }, signal })),
    staleTime: 0,
  })

/** What a booking would cost, with its lines; for members. */
export const quoteQuery = (wanted: Wanted) =>
  queryOptions({
    queryKey: ["quote", wanted],
    queryFn: ({ signal }) => quote(wanted, signal),
    staleTime: 0,
  })

export async function quote(wanted: Wanted, signal?: AbortSignal): Promise<Price> {
  const body = { ...wanted, waitlist: false, expected_total: null }
  return content(await api.POST("/api/quotes", { body, ...(signal ? { signal } : {}) }))
}

/** Where a booking is to be had as a file for calendars. */
export function calendarAddress(id: string): string {
  return `${API}/api/bookings/${id}/calendar`
}

/** Whether a link to the API goes with the session's cookies: those of another site go with requests of this page only. */
export const LINKS_ARE_SIGNED_IN = API === location.origin

/** A booking as a file for calendars. */
export async function fetchCalendar(id: string): Promise<Blob> {
  const path = { booking_id: id }
  return content(await api.GET("/api/bookings/{booking_id}/calendar", { params: { path }, parseAs: "blob" }))
}

/** One's own bookings of a local day. */
export const mineQuery = (club: string, date: string) =>
  queryOptions({
    queryKey: ["bookings", "day", club, date],
    queryFn: async ({ signal }) => {
      const query = { club, status: "confirmed", from: date, to: addDays(date, 1), limit: 200 } as const
      const zoned = { ...query, from: `${query.from}T00:00`, to: `${query.to}T00:00` }
      return content(await api.GET("/api/bookings", { params: { query: zoned }, signal })).items
    },
  })

/** Book at the price that was shown. The same key books once, however often it is sent. */
export async function book(wanted: Wanted, total: number, key: string): Promise<Booking> {
  const body = { ...wanted, waitlist: false, expected_total: total }
  return content(await api.POST("/api/bookings", { body, params: { header: { "Idempotency-Key": key } } }))
}
