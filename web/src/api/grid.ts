/** The state of a day over HTTP, and the ticket for the socket. */

import type { Credentials, Snap, Topic } from "../live/protocol"
import { api, content } from "./client"

/** GET /api/grid, as a full snap. The browser keeps it with its ETag, so an unchanged day costs next to nothing. */
export async function fetchDay({ club, date }: Topic): Promise<Snap> {
  const grid = content(await api.GET("/api/grid", { params: { query: { club, date } } }))
  // msgspec's pairs and choices are wider types in the document than they are.
  return { ...grid, open: grid.open as unknown as Snap["open"], rows: grid.rows as Snap["rows"], full: true }
}

/** POST /api/ws-ticket: a ticket for one hello. */
export async function fetchTicket(): Promise<Credentials> {
  return { ticket: content(await api.POST("/api/ws-ticket")).ticket }
}
