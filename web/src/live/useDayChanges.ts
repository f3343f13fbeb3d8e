import { useEffect, useMemo } from "react"
import type { Topic } from "./protocol"
import { spaced } from "./spaced"
import { useDay, useLive } from "./useLive"

/** Calls soon after anything on the live grid of a day has changed, with a pause between two calls. */
export function useDayChanges({ club, date }: Topic, call: () => void): void {
  const { topics } = useLive()
  const { head } = useDay({ club, date })
  const changes = useMemo(() => spaced(call), [call])
  useEffect(() => {
    const topic = { club, date }
    // What was read before the grid was may be older than it.
    if (head) changes.ask()
    const stops = (head?.courts ?? []).map(court => topics.onRow(topic, court, changes.ask))
    return () => {
      changes.stop()
      for (const stop of stops) stop()
    }
  }, [topics, club, date, head, changes])
}
