/** What a club offers: GET /api/clubs, /api/courts, /api/coaches and /api/equipment. */

import { queryOptions } from "@tanstack/react-query"
import { api, content } from "./client"
import type { components } from "./schema"

export type Club = components["schemas"]["ClubItem"]
export type Court = components["schemas"]["CourtItem"]
export type Coach = components["schemas"]["CoachItem"]
export type Pool = components["schemas"]["PoolItem"]

/** The clubs that may be seen, the default one first. */
export const clubsQuery = queryOptions({
  queryKey: ["clubs"],
  queryFn: async ({ signal }) => content(await api.GET("/api/clubs", { signal })).items,
})

/** The club's courts in the order of the grid, as of a version of its configuration. */
export const courtsQuery = (club: string, config: number) =>
  queryOptions({
    queryKey: ["courts", club, config],
    queryFn: async ({ signal }) => content(await api.GET("/api/courts", { params: { query: { club } }, signal })).items,
  })

/** The club's coaches; for members. */
export const coachesQuery = (club: string, config: number) =>
  queryOptions({
    queryKey: ["coaches", club, config],
    queryFn: async ({ signal }) =>
      content(await api.GET("/api/coaches", { params: { query: { club } }, signal })).items,
  })

/** When each coach works and is not taken, on a local day; for members. Another booking may take one at any moment. */
export const freeCoachesQuery = (club: string, date: string) =>
  queryOptions({
    queryKey: ["coaches", "free", club, date],
    queryFn: async ({ signal }) =>
      content(await api.GET("/api/coaches/free", { params: { query: { club, date } }, signal })).items,
    refetchInterval: 30_000,
  })

/** The club's equipment; for members. */
export const equipmentQuery = (club: string, config: number) =>
  queryOptions({
    queryKey: ["equipment", club, config],
    queryFn: async ({ signal }) =>
      content(await api.GET("/api/equipment", { params: { query: { club } }, signal })).items,
  })
