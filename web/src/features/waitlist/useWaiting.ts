/** What one waits for, for components. */

import { useQuery } from "@tanstack/react-query"
import { useMemo } from "react"
import { useSession } from "../../api/useSession"
import { type Entry, waitlistQuery } from "../../api/waitlist"
import type { Wait } from "./wait"

const NONE: readonly Entry[] = []

export interface Waiting {
  readonly entries: readonly Entry[]
  /** By how many milliseconds the server's clock is ahead of the device's. */
  readonly ahead: number
  /** Whether it was read. */
  readonly known: boolean
}

export function useWaiting(): Waiting {
  const session = useSession()
  const { data } = useQuery({ ...waitlistQuery, enabled: session !== null })
  return { entries: (session && data?.entries) ?? NONE, ahead: data?.ahead ?? 0, known: session !== null && !!data }
}

/** What is held for somebody, by its name on the grid. */
export function useHeldForMe(): ReadonlyMap<string, Entry> {
  const { entries } = useWaiting()
  return useMemo(
    () => new Map(entries.flatMap(entry => (entry.offer ? [[entry.offer.grid_ref, entry] as const] : []))),
    [entries],
  )
}

/** What somebody waits for in a club. The same array as long as it says the same. */
export function useWaits(club: string): readonly Wait[] {
  const { entries } = useWaiting()
  return useMemo(
    () =>
      entries
        .filter(entry => entry.club === club && entry.status === "waiting")
        .map(entry => ({
          court: entry.court_id,
          kind: entry.kind,
          from: Date.parse(entry.start_ts),
          until: Date.parse(entry.end_ts),
          place: entry.position,
        })),
    [entries, club],
  )
}
