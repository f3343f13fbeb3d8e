import { memo, type ReactNode } from "react"
import type { Topic } from "../../live/protocol"
import type { Head } from "../../live/topics"
import { useRow } from "../../live/useLive"
import { formatHour, formatTime } from "../../words/format"
import { words } from "../../words/words"
import styles from "./screen.module.css"
import { nightOf, progressOf, statusOf } from "./status"

interface Props {
  readonly club: string
  readonly date: Topic["date"]
  /** The day after, where the club is open past midnight. */
  readonly night: Topic["date"] | null
  readonly court: number
  readonly name: string
  readonly open: Head["open"]
  readonly minute: number
  readonly zone: string
}

/** One court: what it is now, until when, and what comes next. */
export const Tile = memo(function Tile({ club, date, night, court, name, open, minute, zone }: Props) {
  const row = useRow({ club, date }, court)
  const after = useRow({ club, date: night ?? date }, court)
  if (!row) {
    return (
      <TileFrame name={name} kind="unknown">
        <p className={styles["now"]}>{words.screen.unknown}</p>
      </TileFrame>
    )
  }
  const { now, next } = statusOf(night ? nightOf(row, after) : row, open, minute)
  const progress = progressOf(now, minute)
  const { kinds, until, coming } = words.screen
  return (
    <TileFrame name={name} kind={now.kind}>
      <p className={styles["now"]}>
        <strong>{kinds[now.kind]}</strong> {now.until !== null && until(formatTime(now.until, zone))}
      </p>
      <div className={styles["track"]} hidden={progress === null}>
        <div style={{ width: `${(progress ?? 0) * 100}%` }} />
      </div>
      <p className={styles["next"]}>
        {now.reason ?? next.map(({ kind, from }) => coming(formatHour(from, zone), kinds[kind])).join(" · ")}
      </p>
    </TileFrame>
  )
})

function TileFrame({ name, kind, children }: { name: string; kind: string; children: ReactNode }) {
  return (
    <li className={styles["tile"]} data-kind={kind}>
      <div className={styles["inner"]}>
        <h2>{name}</h2>
        {children}
      </div>
    </li>
  )
}
