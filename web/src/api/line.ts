/** Who waits in a club, for its staff: /api/admin/waitlist. */

import { queryOptions } from "@tanstack/react-query"
import { addDays } from "../words/format"
import { api, content } from "./client"
import { allPages } from "./pages"
import type { components } from "./schema"

export type DeskEntry = components["schemas"]["DeskEntry"]
export type Promoted = components["schemas"]["Promoted"]

/** All who wait for something on a local day, and by how many milliseconds the server's clock is ahead of the device's. */
export const lineQuery = (club: string, date: string) =>
  queryOptions({
    queryKey: ["admin", "line", club, date],
    queryFn: async ({ signal }) => {
      let ahead = 0
      const entries = await allPages<DeskEntry>(async cursor => {
        const range = { from: `${date}T00:00`, to: `${addDays(date, 1)}T00:00` }
        const query = { club, ...range, cursor, limit: 200 }
        const page = content(await api.GET("/api/admin/waitlist", { params: { query }, signal }))
        ahead = Date.parse(page.now) - Date.now()
        return page
      })
      return { entries, ahead }
    },
    // The live grid says when something is freed or held, but not who joins and leaves.
    refetchInterval: 10_000,
  })

/** The first who waits for something that begins after a local day; null if nobody does. */
export const nextInLineQuery = (club: string, date: string) =>
  queryOptions({
    queryKey: ["admin", "line", club, "after", date],
    queryFn: async ({ signal }) => {
      const query = { club, from: `${addDays(date, 1)}T00:00`, limit: 1 }
      return content(await api.GET("/api/admin/waitlist", { params: { query }, signal })).items[0] ?? null
    },
    refetchInterval: 30_000,
  })

/** Book or offer out of turn what somebody waits for. */
export async function promoteEntry(club: string, entry_id: string): Promise<Promoted> {
  return content(await api.POST("/api/admin/waitlist/promote", { params: { query: { club } }, body: { entry_id } }))
}
