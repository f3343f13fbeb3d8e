/** What a screen on a wall asks for. It is no user: its requests carry its own token, and never a cookie. */

import createClient from "openapi-fetch"
import type { Snap, Topic } from "../live/protocol"
import { API } from "./address"
import type { Court } from "./catalogue"
import { content } from "./client"
import { Problem, problemOf } from "./problem"
import type { components, paths } from "./schema"

const PATIENCE = 10_000

export type Screen = components["schemas"]["ScreenView"]
export type PairingBegun = components["schemas"]["PairingBegun"]

const anonymous = createClient<paths>({ baseUrl: API, fetch: patiently })

function as(token: string | null) {
  return token === null ? {} : { headers: { Authorization: `Bearer ${token}` } }
}

/** Which screen this is, and what time it is. A `Problem` of status 401 says that it was shut out. */
export async function fetchScreen(token: string): Promise<Screen> {
  return content(await anonymous.GET("/api/screens/me", as(token)))
}

/** The club, if everybody may see its grid. */
export async function fetchPublicClub(slug: string) {
  const clubs = content(await anonymous.GET("/api/clubs"))
  return clubs.items.find(club => club.slug === slug && club.grid_visibility === "public") ?? null
}

export async function fetchCourts(token: string | null, club: string): Promise<Court[]> {
  return content(await anonymous.GET("/api/courts", { params: { query: { club } }, ...as(token) })).items
}

/** The same as `fetchDay` of the page, as this screen. */
export async function fetchDayAs(token: string | null, { club, date }: Topic): Promise<Snap> {
  const grid = content(await anonymous.GET("/api/grid", { params: { query: { club, date } }, ...as(token) }))
  return { ...grid, open: grid.open as unknown as Snap["open"], rows: grid.rows as Snap["rows"], full: true }
}

/** A code to show, and the secret to ask with. */
export async function beginPairing(): Promise<PairingBegun> {
  return content(await anonymous.POST("/api/screens/pair")) as PairingBegun
}

/** The token once staff have approved the code, null until then. A `Problem` of status 410 says: begin again. */
export async function askForToken({ code, poll_secret }: PairingBegun): Promise<string | null> {
  const answer = content(await anonymous.POST("/api/screens/pair", { body: { code, poll_secret } }))
  return "token" in answer ? answer.token : null
}

async function patiently(request: Request): Promise<Response> {
  let response: Response
  try {
    response = await fetch(request, { credentials: "omit", signal: AbortSignal.timeout(PATIENCE) })
  } catch (cause) {
    throw new Problem("unreachable", "The server cannot be reached.", { cause })
  }
  if (!response.ok) throw await problemOf(response)
  return response
}
