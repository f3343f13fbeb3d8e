import type { Mark as MarkOf } from "../live/freshness"
import { useMark } from "../live/useLive"
import { formatTime } from "../words/format"
import { words } from "../words/words"
import styles from "./Shell.module.css"

/** How fresh what is shown is: quiet while all is well. */
export function Mark() {
  const mark = useMark()
  return (
    <p role="status" className={styles["mark"]} data-kind={mark.kind}>
      {textOf(mark)}
    </p>
  )
}

function textOf(mark: MarkOf): string {
  switch (mark.kind) {
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
