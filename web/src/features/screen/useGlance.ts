import { useEffect, useState } from "react"
import type { Connection } from "../../live/connection"
import type { ServerClock } from "./clock"

const TICK = 1_000
const MINUTE = 60_000

/** What changes by itself while nobody books: the minute, and how old what is shown is. By the server's clock. */
export interface Glance {
  readonly minute: number
  /** When what is shown was last known to be true, to the minute; null if never. */
  readonly trueAt: number | null
  readonly stale: boolean
}

/** Changes at most once a minute while all is well, and within seconds when the connection is lost or back. */
export function useGlance(clock: ServerClock, { freshness }: Connection, keptTrueAt: number | null): Glance {
  const [glance, setGlance] = useState<Glance>(() => {
    const minute = floor(clock.now())
    return { minute, trueAt: keptTrueAt, stale: false }
  })
  useEffect(() => {
    let trueAt = keptTrueAt
    const startedAt = performance.now()
    const look = () => {
      const { kind } = freshness.mark
      const now = clock.now()
      if (kind === "live" || kind === "polling") trueAt = now
      const silent = trueAt === null ? performance.now() - startedAt : now - trueAt
      const next = {
        minute: floor(now),
        trueAt: trueAt === null ? null : floor(trueAt),
        stale: kind === "offline" || silent > MINUTE,
      }
      setGlance(before => (JSON.stringify(before) === JSON.stringify(next) ? before : next))
    }
    look()
    const timer = setInterval(look, TICK)
    const off = freshness.subscribe(look)
    return () => {
      clearInterval(timer)
      off()
    }
  }, [clock, freshness, keptTrueAt])
  return glance
}

function floor(instant: number): number {
  return Math.floor(instant / MINUTE) * MINUTE
}
