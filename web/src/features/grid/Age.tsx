import type { ReactNode } from "react"
import { useMark } from "../../live/useLive"
import { Notice } from "../../ui/Notice"
import { words } from "../../words/words"
import styles from "./Age.module.css"

/** Greys what is shown while there is no connection, and says how old it is. */
export function Age({ now, children }: { now: number; children: ReactNode }) {
  const mark = useMark()
  const offline = mark.kind === "offline"
  return (
    <>
      {offline && <Notice>{words.grid.old(Math.max(0, Math.floor((now - mark.since) / 60_000)))}</Notice>}
      <div className={offline ? styles["old"] : undefined}>{children}</div>
    </>
  )
}
