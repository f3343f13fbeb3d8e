import { useMemo, useState, useSyncExternalStore } from "react"
import type { Club, Court } from "../../api/catalogue"
import type { Topic } from "../../live/protocol"
import { useLive } from "../../live/useLive"
import { Button } from "../../ui/Button"
import { Notice } from "../../ui/Notice"
import { formatMoney, formatTimeOnce } from "../../words/format"
import { words } from "../../words/words"
import styles from "./Times.module.css"
import { isFree, type Scale, stepsOf, takenBy } from "./timeline"
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
  readonly now: number
  readonly onSelect: (selection: Selection) => void
}

/** The day for a small window: how long first, then when, then where. */
export function Times({ club, topic, config, courts, scale, now, onSelect }: Props) {
  const [minutes, setMinutes] = useState(remembered)
  const [chosen, setChosen] = useState<number | null>(null)
  const { topics } = useLive()
  const rows = useRows(topic, courts)
  const prices = usePrices(club, topic.date, config, minutes)
  const starts = useMemo(() => {
    const length = minutes * 60_000
    return stepsOf(scale)
      .filter(from => from >= now && from + length <= scale.until)
      .map(from => {
        const span = { from, until: from + length }
        // A court that cannot be booked for so long from then has no price.
        const those = (may: typeof isFree | typeof takenBy) =>
          courts.filter(
            court => rows && prices(court.id, from) !== null && may(scale, topics.row(topic, court.id), span),
          )
        return { ...span, free: those(isFree), taken: those(takenBy) }
      })
  }, [scale, now, minutes, courts, rows, topics, topic, prices])
  const money = (minor: number | null | undefined) => (minor == null ? null : formatMoney(minor, club.currency))
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
              {those.map(({ free, taken, ...span }) => {
                const shown = free.length > 0 ? free : taken
                const lowest = money(least(free.map(court => prices(court.id, span.from))))
                return (
                  <li key={span.from} className={chosen === span.from ? styles["open"] : undefined}>
                    <button
                      type="button"
                      className={styles["chip"]}
                      disabled={shown.length === 0}
                      data-full={free.length === 0 || undefined}
                      aria-expanded={chosen === span.from}
                      onClick={() => setChosen(chosen === span.from ? null : span.from)}
                    >
                      <b>{formatTimeOnce(span.from, club.zone)}</b>
                      <span>{free.length === 0 ? words.grid.times.none : words.grid.times.free(free.length)}</span>
                      {lowest && <span>{words.grid.times.from(lowest)}</span>}
                    </button>
                    {chosen === span.from && shown.length > 0 && (
                      <fieldset className={styles["courts"]}>
                        <legend>
                          {(free.length > 0 ? words.grid.times.choose : words.grid.times.wait)(
                            formatTimeOnce(span.from, club.zone),
                          )}
                        </legend>
                        {shown.map(court => (
                          <Button key={court.id} onClick={() => onSelect({ court: court.id, ...span })}>
                            {[court.name, court.kind, money(prices(court.id, span.from))].filter(Boolean).join(" · ")}
                          </Button>
                        ))}
                      </fieldset>
                    )}
                  </li>
                )
              })}
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

function least(prices: (number | null | undefined)[]): number | null {
  const known = prices.filter(price => price != null)
  return known.length > 0 ? Math.min(...known) : null
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
