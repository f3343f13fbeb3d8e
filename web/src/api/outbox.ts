/** Mails and jobs of a club, for its staff: /api/admin/outbox. */

import { queryOptions } from "@tanstack/react-query"
import { api, content } from "./client"
import type { components } from "./schema"

export type OutboxRow = components["schemas"]["OutboxRow"]
export type OutboxState = "parked" | "pending"

/** The oldest of them; a hundred are more than anybody reads. */
export const outboxQuery = (club: string, state: OutboxState) =>
  queryOptions({
    queryKey: ["admin", "outbox", club, state],
    queryFn: async ({ signal }) => {
      const query = { club, state, limit: 100 }
      return content(await api.GET("/api/admin/outbox", { params: { query }, signal })).items
    },
    refetchInterval: 15_000,
  })

/** A `Problem` of status 404 says that somebody else was faster. */
export async function retryRow(club: string, id: string): Promise<void> {
  const params = { path: { row_id: id }, query: { club } }
  await api.POST("/api/admin/outbox/{row_id}/retry", { params })
}
