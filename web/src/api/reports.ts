/** What staff look back on: /api/admin/reports/usage. */

import { keepPreviousData, queryOptions } from "@tanstack/react-query"
import { api, content } from "./client"
import type { components } from "./schema"

type Schemas = components["schemas"]
export type CourtUse = Schemas["CourtUse"]
export type CoachUse = Schemas["CoachUse"]

/** How the days from one to another, both included, were used. */
export const usageQuery = (club: string, from: string, to: string) =>
  queryOptions({
    queryKey: ["admin", "usage", club, from, to],
    queryFn: async ({ signal }) =>
      content(await api.GET("/api/admin/reports/usage", { params: { query: { club, from, to } }, signal })),
    placeholderData: keepPreviousData,
  })
