/** The club's bookings and members, for its staff: /api/admin/bookings, /api/admin/users. */

import { queryOptions } from "@tanstack/react-query"
import { addDays } from "../words/format"
import { api, content } from "./client"
import { allPages } from "./pages"
import type { components } from "./schema"

export type DeskBooking = components["schemas"]["DeskBooking"]
export type Named = components["schemas"]["Named"]
export type Member = components["schemas"]["AdminUser"]

/** Who is looked for is shown as so many, the first ones. */
const FOUND = 50
const SUGGESTED = 6

/** All bookings of a local day, with whose they are; the cancelled ones too. */
export const deskQuery = (club: string, date: string) =>
  queryOptions({
    queryKey: ["admin", "desk", club, date],
    queryFn: ({ signal }) =>
      allPages<DeskBooking>(async cursor => {
        const range = { from: `${date}T00:00`, to: `${addDays(date, 1)}T00:00` }
        const query = { club, ...range, cursor, limit: 200 }
        return content(await api.GET("/api/admin/bookings", { params: { query }, signal }))
      }),
    // The live grid says when to look again; this is for what it does not show, as a name.
    refetchInterval: 60_000,
  })

/** What people whose name or address contains some text have booked from a local day on. */
export const foundQuery = (club: string, search: string, from: string) =>
  queryOptions({
    queryKey: ["admin", "desk", club, "found", search, from],
    queryFn: async ({ signal }) => {
      const query = { club, search, from: `${from}T00:00`, status: "confirmed", limit: FOUND } as const
      return content(await api.GET("/api/admin/bookings", { params: { query }, signal }))
    },
  })

/** A few members whose name or address contains some text. */
export const suggestedQuery = (club: string, search: string) =>
  queryOptions({
    queryKey: ["admin", "users", club, "suggested", search],
    queryFn: async ({ signal }) => {
      const query = { club, search, limit: SUGGESTED }
      return content(await api.GET("/api/admin/users", { params: { query }, signal })).items
    },
  })
