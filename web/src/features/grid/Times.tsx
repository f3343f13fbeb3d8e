import { useMemo, useState, useSyncExternalStore } from "react"
import type { Club, Court } from "../../api/catalogue"
import type { Topic } from "../../live/protocol"
import { useLive } from "../../live/useLive"
import { Notice } from "../../ui/Notice"
import { words } from "../../words/words"
import type { Wait } from "../waitlist/wait"
import { StartChip } from "./StartChip"
import { startsOf } from "./starts"
import styles from "./Times.module.css"
import type { Scale } from "./timeline"
import { usePrices } from "./usePrices"
import type { Selection } from "./view"

const DURATIONS = [60, 90, 120]
const KEY = "courtside.duration"

interface Props {
  readonly club: Club
  readonly topic: Topic
  readonly config: number
  readonly courts: readonly Court[]
  readonly scale: Scale
  readonly mine: ReadonlySet<string>
  /** What is held for whoever looks, by its name on the grid. */
  readonly held: ReadonlyMap<string, unknown>
  readonly waits: readonly Wait[]
  readonly now: number
  readonly onSelect: (selection: Selection) => void
}

/** The day for a small window: how long first, then when, then where. */
export function Times({ club, topic, config, courts, scale, mine, held, waits, now, onSelect }: Props) {
  const [minutes, setMinutes] = useState(remembered)
  const [chosen, setChosen] = useState<number | null>(null)
  const { topics } = useLive()
  const rows = useRows(topic, courts)
  const prices = usePrices(club, topic.date, config, minutes)
  // Between two starts nothing passes, however often the clock is looked at.
  const next = scale.from + Math.ceil((now - scale.from) / scale.step) * scale.step
  const starts = useMemo(
    () =>
      startsOf({
        ...{ scale, courts, mine, held, waits, now: next, length: minutes * 60_000 },
        rowOf: court => topics.row(topic, court.id),
        // A court that cannot be booked for so long from then has no price.
        isBookable: (court, from) => rows !== "" && prices(court.id, from) !== null,
      }),
    [scale, next, minutes, courts, mine, held, waits, rows, topics, topic, prices],
  )
  return (
    <>
      <fieldset className={styles["durations"]}>
        <legend>{words.grid.times.duration}</legend>
        {DURATIONS.map(choice => (
          <label key={choice} className={styles["duration"]}>
            <input
              type="radio"
              name="duration"
              checked={choice === minutes}
              onChange={() => {
                remember(choice)
                setMinutes(choice)
              }}
            />
            {words.grid.times.minutes(choice)}
          </label>
        ))}
      </fieldset>
      {starts.length === 0 && <Notice>{words.grid.times.over}</Notice>}
      {(["morning", "afternoon", "evening"] as const).map(part => {
        const those = starts.filter(start => partOf(start.from, club.zone) === part)
        if (those.length === 0) return null
        return (
          <section key={part}>
            <h3>{words.grid.times.parts[part]}</h3>
            <ul className={styles["chips"]}>
              {those.map(start => (
                <StartChip
                  key={start.from}
                  club={club}
                  start={start}
                  open={chosen === start.from}
                  priceOf={court => prices(court.id, start.from)}
                  onOpen={() => setChosen(chosen === start.from ? null : start.from)}
                  onSelect={onSelect}
                />
              ))}
            </ul>
          </section>
        )
      })}
    </>
  )
}

/** What tells one state of these courts from another: their versions; empty while they are not known. */
function useRows(topic: Topic, courts: readonly Court[]): string {
  const { topics } = useLive()
  return useSyncExternalStore(
    listener => {
      const stops = courts.map(court => topics.onRow(topic, court.id, listener))
      return () => {
        for (const stop of stops) stop()
      }
    },
    () => (topics.head(topic)?.epoch ?? "") + courts.map(court => `;${topics.row(topic, court.id)?.v}`).join(""),
  )
}

function partOf(instant: number, zone: string): "morning" | "afternoon" | "evening" {
  const hour = Number(
    new Intl.DateTimeFormat("en-GB", { hour: "2-digit", hourCycle: "h23", timeZone: zone }).format(instant),
  )
  return hour < 12 ? "morning" : hour < 17 ? "afternoon" : "evening"
}

function remembered(): number {
  const kept = Number(localStorage.getItem(KEY))
  return DURATIONS.includes(kept) ? kept : 60
}

function remember(minutes: number): void {
  try {
    localStorage.setItem(KEY, String(minutes))
  } catch {
    // Storage is full or forbidden: the choice lasts as long as the page.
  }
}
