/** Courts, coaches and people as staff set them up: /api/admin/courts, /api/admin/coaches, /api/admin/users. */

import { api, content } from "./client"
import { type Collection, ifMatch } from "./collections"
import { allPages, numbered } from "./pages"
import type { components } from "./schema"

type Schemas = components["schemas"]
export type AdminCourt = Schemas["AdminCourt"]
export type CourtDraft = Schemas["CourtDraft"]
export type AdminCoach = Schemas["AdminCoach"]
export type CoachDraft = Schemas["CoachDraft"]
export type Person = Schemas["AdminUser"]
export type PersonDraft = Pick<Person, "email" | "name" | "role" | "tier" | "suspended">

/** In the order of the grid. */
export const adminCourts: Collection<AdminCourt, CourtDraft> = {
  name: "courts",
  list: async (club, signal) => {
    const courts = await allPages<AdminCourt>(async cursor =>
      content(await api.GET("/api/admin/courts", { params: { query: { club, ...numbered(cursor) } }, signal })),
    )
    return courts.sort((one, other) => one.position - other.position || one.id - other.id)
  },
  create: (club, body) => api.POST("/api/admin/courts", { params: { query: { club } }, body }),
  change: (_, item, body) => {
    const params = { path: { court_id: item.id }, header: ifMatch(item) }
    return api.PATCH("/api/admin/courts/{court_id}", { params, body })
  },
  remove: (_, item) => {
    const params = { path: { court_id: item.id }, header: ifMatch(item) }
    return api.DELETE("/api/admin/courts/{court_id}", { params })
  },
}

export const adminCoaches: Collection<AdminCoach, CoachDraft> = {
  name: "coaches",
  list: (club, signal) =>
    allPages<AdminCoach>(async cursor =>
      content(await api.GET("/api/admin/coaches", { params: { query: { club, ...numbered(cursor) } }, signal })),
    ),
  create: (club, draft) => api.POST("/api/admin/coaches", { params: { query: { club } }, body: draft }),
  change: (_, item, body) => {
    const params = { path: { coach_id: item.id }, header: ifMatch(item) }
    return api.PATCH("/api/admin/coaches/{coach_id}", { params, body })
  },
  remove: (_, item) => {
    const params = { path: { coach_id: item.id }, header: ifMatch(item) }
    return api.DELETE("/api/admin/coaches/{coach_id}", { params })
  },
}

/** So many of whoever is found are shown. */
export const MOST_PEOPLE = 50

/** The first members whose name or address contains some text. */
export const peopleOf = (search: string): Collection<Person, PersonDraft> => ({
  name: `users ${search}`,
  list: async (club, signal) => {
    const query = { club, search, limit: MOST_PEOPLE }
    return content(await api.GET("/api/admin/users", { params: { query }, signal })).items
  },
  create: (club, { email, name, role, tier }) =>
    api.POST("/api/admin/users", { params: { query: { club } }, body: { email, name, role, tier, password: null } }),
  change: (club, item, { name, role, tier, suspended }) => {
    const params = { path: { user_id: item.id }, query: { club }, header: ifMatch(item) }
    return api.PATCH("/api/admin/users/{user_id}", { params, body: { name, role, tier, suspended } })
  },
})
