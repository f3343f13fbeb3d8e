/** Who did what in a club, for its staff: /api/admin/audit. */

import { infiniteQueryOptions } from "@tanstack/react-query"
import { addDays } from "../words/format"
import { api, content } from "./client"
import type { components } from "./schema"

type Schemas = components["schemas"]
/** What is in the payload depends on the type of the event. */
export type AuditEvent = Omit<Schemas["AuditEvent"], "payload"> & {
  readonly payload: Readonly<Record<string, unknown>>
}
export type AuditPage = Omit<Schemas["AuditPage"], "items"> & { readonly items: readonly AuditEvent[] }

/** What is looked for; null: anything. `about` is the id of a booking, a place in the line or a closure. */
export interface Trail {
  readonly date: string | null
  readonly person: number | null
  readonly about: string | null
}

const PAGE = 50

/** Newest first, with the people whom the club knows, page by page. */
export const trailQuery = (club: string, { date, person, about }: Trail) =>
  infiniteQueryOptions({
    queryKey: ["admin", "audit", club, date, person, about],
    queryFn: async ({ signal, pageParam }): Promise<AuditPage> => {
      const range = date ? { from: `${date}T00:00`, to: `${addDays(date, 1)}T00:00` } : {}
      const query = { club, ...range, user_id: person, about, names: true, cursor: pageParam, limit: PAGE }
      return content(await api.GET("/api/admin/audit", { params: { query }, signal }))
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }: AuditPage) => next,
    // Whoever has gone on to older pages reads, and is not to be led away.
    refetchInterval: query => ((query.state.data?.pages.length ?? 0) > 1 ? false : 15_000),
  })
