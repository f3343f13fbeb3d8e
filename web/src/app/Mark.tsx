import type { Mark as MarkOf } from "../live/freshness"
import { useMark } from "../live/useLive"
import { formatTime } from "../words/format"
import { words } from "../words/words"
import styles from "./Shell.module.css"

/** How fresh what is shown is: quiet while all is well. */
export function Mark() {
  const mark = useMark()
  const text = textOf(mark)
  if (text === null) return null
  return (
    <p role="status" className={styles["mark"]} data-kind={mark.kind}>
      {text}
    </p>
  )
}

function textOf(mark: MarkOf): string | null {
  switch (mark.kind) {
    case "idle":
      return null
    case "live":
      return words.mark.live
    case "catching-up":
      return words.mark.catchingUp
    case "polling":
      return words.mark.polling
    case "offline":
      return words.mark.offline(formatTime(mark.since, new Intl.DateTimeFormat().resolvedOptions().timeZone))
  }
}
