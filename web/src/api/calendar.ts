/** One's own calendar's address and reminders: /api/calendar-feed, PATCH /api/auth/me. All throw a `Problem`. */

import { queryOptions } from "@tanstack/react-query"
import { api, content } from "./client"

/** How many hours before a booking one may be reminded. */
export type Lead = 24 | 2

/** Whether one's calendar has an address, and since when. */
export const feedQuery = queryOptions({
  queryKey: ["calendar-feed"],
  queryFn: async ({ signal }) => content(await api.GET("/api/calendar-feed", { signal })),
})

/** A new address of one's calendar, which is told this once; the one before ends. */
export async function makeFeed(): Promise<string> {
  return content(await api.POST("/api/calendar-feed")).url
}

/** End the address of one's calendar. */
export async function endFeed(): Promise<void> {
  await api.DELETE("/api/calendar-feed")
}

/** Choose when one is reminded of a booking. */
export async function chooseReminders(reminders: Lead[]): Promise<void> {
  await api.PATCH("/api/auth/me", { body: { reminders } })
}
