/** A club's rules, for its staff: /api/admin/clubs/{club_id}. */

import { queryOptions } from "@tanstack/react-query"
import { api, content } from "./client"
import { ifMatch } from "./collections"
import type { components } from "./schema"

type Schemas = components["schemas"]
export type AdminClub = Schemas["AdminClub"]
export type ClubChange = Schemas["ClubChange"]

export async function fetchRules(id: number, signal?: AbortSignal): Promise<AdminClub> {
  const params = { path: { club_id: id } }
  return content(await api.GET("/api/admin/clubs/{club_id}", { params, ...(signal ? { signal } : {}) }))
}

/** Not kept: whoever comes back begins from what holds then. */
export const rulesQuery = (id: number) =>
  queryOptions({ queryKey: ["admin", "rules", id], queryFn: ({ signal }) => fetchRules(id, signal), gcTime: 0 })

/** A `Problem` of status 412: somebody else has changed the club since that version. */
export async function changeRules(id: number, version: number, body: ClubChange): Promise<AdminClub> {
  const params = { path: { club_id: id }, header: ifMatch({ version }) }
  return content(await api.PATCH("/api/admin/clubs/{club_id}", { params, body }))
}
