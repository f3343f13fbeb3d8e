/** What staff set up, all in one way: read with its version, and changed only at that version. */

import { queryOptions } from "@tanstack/react-query"
import { api, content } from "./client"
import { allPages } from "./pages"
import type { components } from "./schema"

type Schemas = components["schemas"]
export type Closure = Schemas["ClosureView"]
export type ClosureDraft = Schemas["ClosureDraft"]
export type DayWindow = Schemas["DayWindowWire"]
export type Dated = Schemas["DatedWire"]
export type DayHours = Schemas["AdminException"] & { readonly id: string; readonly version: number }

export interface Stored {
  readonly id: number | string
  readonly version: number
}

/** A list of a club's things, and the ways to change it. A `Problem` of status 412: somebody else has changed it since. */
export interface Collection<Item extends Stored, Draft> {
  readonly name: string
  readonly list: (club: string, signal: AbortSignal) => Promise<Item[]>
  readonly create: (club: string, draft: Draft) => Promise<unknown>
  readonly change: (club: string, item: Item, draft: Draft) => Promise<unknown>
  /** Retire it, lift it, let it be as before. */
  readonly remove?: (club: string, item: Item) => Promise<unknown>
}

export function collectionQuery<Item extends Stored, Draft>(club: string, { name, list }: Collection<Item, Draft>) {
  return queryOptions({
    queryKey: ["admin", name, club],
    queryFn: ({ signal }) => list(club, signal),
    refetchInterval: 30_000,
  })
}

/** The header of a change: the version that was looked at. */
export function ifMatch({ version }: Pick<Stored, "version">) {
  return { "If-Match": `"${version}"` }
}

/** What has not ended, in the order of its start. */
export const closures: Collection<Closure, ClosureDraft> = {
  name: "closures",
  list: (club, signal) =>
    allPages<Closure>(async cursor => {
      const query = { club, cursor, limit: 200 }
      return content(await api.GET("/api/admin/closures", { params: { query }, signal }))
    }),
  create: async (club, body) => content(await api.POST("/api/admin/closures", { params: { query: { club } }, body })),
  change: async (club, item, body) => {
    const params = { path: { closure_id: item.id }, query: { club }, header: ifMatch(item) }
    return content(await api.PATCH("/api/admin/closures/{closure_id}", { params, body }))
  },
  remove: (club, item) => {
    const params = { path: { closure_id: item.id }, query: { club }, header: ifMatch(item) }
    return api.DELETE("/api/admin/closures/{closure_id}", { params })
  },
}

/** The bookings that a closure would cancel, and the name that makes it cancel these and no others. */
export const affectedQuery = (club: string, place: Pick<ClosureDraft, "court_ids" | "start_ts" | "end_ts">) =>
  queryOptions({
    queryKey: ["admin", "desk", club, "affected", place],
    queryFn: async ({ signal }) => {
      const body = { ...place, reason: "", cancel_bookings: false, preview: null }
      return content(await api.POST("/api/admin/closures/preview", { params: { query: { club } }, body, signal }))
    },
    staleTime: 0,
    refetchInterval: 10_000,
  })

/** The club's week; its version is that of the club. */
export const weekQuery = (club: string) =>
  queryOptions({
    queryKey: ["admin", "hours", club],
    queryFn: async ({ signal }) => content(await api.GET("/api/admin/hours", { params: { query: { club } }, signal })),
  })

export async function changeWeek(club: string, version: number, hours: DayWindow[]): Promise<void> {
  await api.PUT("/api/admin/hours", { params: { query: { club }, header: ifMatch({ version }) }, body: { hours } })
}

/** Dates with hours of their own. The version is the club's, read before them: so it is never newer than they are. */
export const dayHours: Collection<DayHours, Schemas["ExceptionDraft"]> = {
  name: "day-hours",
  list: async (club, signal) => {
    const { version } = content(await api.GET("/api/admin/hours", { params: { query: { club } }, signal }))
    const days = await allPages(async cursor => {
      const query = { club, cursor, limit: 500 }
      return content(await api.GET("/api/admin/hours/exceptions", { params: { query }, signal }))
    })
    return days.map(day => ({ ...day, id: day.day, version }))
  },
  create: (club, body) => api.POST("/api/admin/hours/exceptions", { params: { query: { club } }, body }),
  change: (club, item, { windows, reason }) => {
    const params = { path: { day: item.day }, query: { club }, header: ifMatch(item) }
    return api.PATCH("/api/admin/hours/exceptions/{day}", { params, body: { windows, reason } })
  },
  remove: (club, item) => {
    const params = { path: { day: item.day }, query: { club }, header: ifMatch(item) }
    return api.DELETE("/api/admin/hours/exceptions/{day}", { params })
  },
}
