/** The screens on a club's walls, for its staff: /api/admin/screens. */

import { queryOptions } from "@tanstack/react-query"
import { api, content } from "./client"
import type { components } from "./schema"

export type AdminScreen = components["schemas"]["AdminScreen"]
export type ScreenDraft = components["schemas"]["ScreenDraft"]

/** All of them, those that were shut out too. */
export const screensQuery = (club: string) =>
  queryOptions({
    queryKey: ["admin", "screens", club],
    queryFn: async ({ signal }) => {
      const items: AdminScreen[] = []
      let cursor: number | null = null
      do {
        const query: { club: string; cursor: number | null; limit: number } = { club, cursor, limit: 100 }
        const page: components["schemas"]["AdminScreens"] = content(
          await api.GET("/api/admin/screens", { params: { query }, signal }),
        )
        items.push(...page.items)
        cursor = page.next === null ? null : Number(page.next)
      } while (cursor !== null)
      return items
    },
    refetchInterval: 30_000,
  })

export async function approveScreen(club: string, body: ScreenDraft): Promise<AdminScreen> {
  return content(await api.POST("/api/admin/screens", { params: { query: { club } }, body }))
}

/** A `Problem` of status 412 says that somebody else has changed it since. */
export async function changeScreen(screen: AdminScreen, body: Pick<ScreenDraft, "name" | "court_ids">): Promise<void> {
  await api.PATCH("/api/admin/screens/{screen_id}", { params: paramsOf(screen), body })
}

export async function revokeScreen(screen: AdminScreen): Promise<void> {
  await api.DELETE("/api/admin/screens/{screen_id}", { params: paramsOf(screen) })
}

function paramsOf({ id, version }: AdminScreen) {
  return { path: { screen_id: id }, header: { "If-Match": `"${version}"` } }
}
