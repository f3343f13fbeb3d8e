/** The live grid for components. Each hook renders again only when what it gives has changed. */

import { createContext, useCallback, useContext, useEffect, useSyncExternalStore } from "react"
import type { Mark } from "./freshness"
import type { Live } from "./live"
import type { Row, Topic } from "./protocol"
import type { Head } from "./topics"

export const LiveContext = createContext<Live | null>(null)

export function useLive(): Live {
  const live = useContext(LiveContext)
  if (!live) throw new Error("There is no LiveContext around this component.")
  return live
}

/** How fresh what is shown is. */
export function useMark(): Mark {
  const { freshness } = useLive().connection
  return useSyncExternalStore(
    useCallback(listener => freshness.subscribe(listener), [freshness]),
    () => freshness.mark,
  )
}

/** Look at a day as long as the component is there; undefined until it is known. */
export function useDay({ club, date }: Topic): { head: Head | undefined; refusal: string | undefined } {
  const { topics } = useLive()
  useEffect(() => topics.watch({ club, date }), [topics, club, date])
  const subscribe = useCallback((listener: () => void) => topics.onDay({ club, date }, listener), [topics, club, date])
  return {
    head: useSyncExternalStore(subscribe, () => topics.head({ club, date })),
    refusal: useSyncExternalStore(subscribe, () => topics.refusal({ club, date })),
  }
}

/** A court's row of a day that `useDay` looks at. */
export function useRow({ club, date }: Topic, court: number): Row | undefined {
  const { topics } = useLive()
  return useSyncExternalStore(
    useCallback(listener => topics.onRow({ club, date }, court, listener), [topics, club, date, court]),
    () => topics.row({ club, date }, court),
  )
}
