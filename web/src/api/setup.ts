/** Equipment and price rules as staff set them up: /api/admin/equipment, /api/admin/pricing-rules. */

import { api, content } from "./client"
import { type Collection, ifMatch } from "./collections"
import { allPages, numbered } from "./pages"
import type { components } from "./schema"

type Schemas = components["schemas"]
export type Pool = Schemas["AdminEquipment"]
export type PoolDraft = Schemas["EquipmentDraft"]
export type Rule = Schemas["AdminRule"]
/** What of a rule is changed on the page; its other conditions stay as they are. */
export type RuleDraft = Pick<
  Schemas["RuleDraft"],
  "name" | "effect" | "value" | "priority" | "indoor" | "weekdays" | "from_time" | "to_time"
>

export const pools: Collection<Pool, PoolDraft> = {
  name: "equipment",
  list: (club, signal) =>
    allPages<Pool>(async cursor =>
      content(await api.GET("/api/admin/equipment", { params: { query: { club, ...numbered(cursor) } }, signal })),
    ),
  create: (club, body) => api.POST("/api/admin/equipment", { params: { query: { club } }, body }),
  change: (_, item, body) => {
    const params = { path: { equipment_id: item.id }, header: ifMatch(item) }
    return api.PATCH("/api/admin/equipment/{equipment_id}", { params, body })
  },
  remove: (_, item) => {
    const params = { path: { equipment_id: item.id }, header: ifMatch(item) }
    return api.DELETE("/api/admin/equipment/{equipment_id}", { params })
  },
}

const ALWAYS = {
  court_ids: [],
  from_date: null,
  to_date: null,
  tiers: [],
  min_lead: null,
  max_lead: null,
} satisfies Partial<Schemas["RuleDraft"]>

export const rules: Collection<Rule, RuleDraft> = {
  name: "pricing-rules",
  list: (club, signal) =>
    allPages<Rule>(async cursor =>
      content(await api.GET("/api/admin/pricing-rules", { params: { query: { club, ...numbered(cursor) } }, signal })),
    ),
  create: (club, draft) =>
    api.POST("/api/admin/pricing-rules", { params: { query: { club } }, body: { ...ALWAYS, ...draft } }),
  change: (_, item, body) => {
    const params = { path: { rule_id: item.id }, header: ifMatch(item) }
    return api.PATCH("/api/admin/pricing-rules/{rule_id}", { params, body })
  },
  remove: (_, item) => {
    const params = { path: { rule_id: item.id }, header: ifMatch(item) }
    return api.DELETE("/api/admin/pricing-rules/{rule_id}", { params })
  },
}
