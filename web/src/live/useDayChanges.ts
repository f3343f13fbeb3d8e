import { useEffect } from "react"
import type { Topic } from "../../live/protocol"
import { useDay, useLive } from "../../live/useLive"

/** Changes that come together are one. */
const TOGETHER = 300

/** Calls when anything on the live grid of a day has changed. */
export function useDayChanges({ club, date }: Topic, call: () => void): void {
  const { topics } = useLive()
  const { head } = useDay({ club, date })
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const changed = () => {
      timer ??= setTimeout(() => {
        timer = undefined
        call()
      }, TOGETHER)
    }
    const topic = { club, date }
    // What was read before the grid was may be older than it.
    if (head) changed()
    const stops = (head?.courts ?? []).map(court => topics.onRow(topic, court, changed))
    return () => {
      clearTimeout(timer)
      for (const stop of stops) stop()
    }
  }, [topics, club, date, head, call])
}
