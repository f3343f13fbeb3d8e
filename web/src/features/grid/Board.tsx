import { type CSSProperties, useMemo, useRef } from "react"
import type { Club, Court } from "../../api/catalogue"
import { useSession } from "../../api/useSession"
import type { Topic } from "../../live/protocol"
import { useLive } from "../../live/useLive"
import { formatDay, formatHour, formatMoney, formatTimes } from "../../words/format"
import { words } from "../../words/words"
import type { Wait } from "../waitlist/wait"
import styles from "./Board.module.css"
import { CourtRow } from "./CourtRow"
import { HOUR, isFree, placeOf, type Scale, stepsOf, takenBy } from "./timeline"
import { usePrice } from "./usePrices"
import { type Place, useSelecting } from "./useSelecting"
import type { Selection } from "./view"

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
  readonly pending: Selection | null
  /** What the drawer is open with. */
  readonly selection: Selection | null
  readonly now: number
  readonly onSelect: (selection: Selection) => void
}

/** Courts by time: a row for each court. */
export function Board({ club, topic, config, courts, scale, mine, held, waits, ...props }: Props) {
  const { pending, selection, now, onSelect } = props
  const { topics } = useLive()
  const board = useRef<HTMLDivElement>(null)
  const steps = {
    courts: courts.map(court => court.id),
    ...scale,
    usual: Math.max(HOUR, scale.step),
    isFree: (court: number, from: number, until: number) =>
      from >= now && isFree(scale, topics.row(topic, court), { from, until }),
    takenAt: ({ court, at }: Place) => {
      const taken = takenBy(scale, topics.row(topic, court), { from: at, until: at + 1 })
      if (!taken || mine.has(taken.cell.ref ?? "")) return null
      const closed = taken.cell.k === "closed"
      // Of a closure, which may be as long as the day, what one would book of it.
      const from = closed ? Math.max(taken.from, stepAfter(scale, now)) : taken.from
      const until = closed ? Math.min(taken.until, from + Math.max(HOUR, scale.step)) : taken.until
      return from >= now && from < until ? { court, from, until } : null
    },
  }
  const { draft, focus, handlers } = useSelecting(steps, onSelect, place => focusOn(board.current, place))
  const selected = selection ?? draft
  const price = useSaid(club, usePrice(club, topic.date, config, selected))
  const first = courts[0]
  const resting = focus ?? (first ? { court: first.id, at: Math.max(scale.from, stepBefore(scale, now)) } : null)
  const past = stepAfter(scale, now)
  const spans = useSpans(selected)
  const waiting = useSpans(pending)
  const hours = useMemo(() => stepsOf({ ...scale, step: HOUR }), [scale])
  const isToday = now > scale.from && now < scale.until
  return (
    <>
      <div className={styles["scroller"]}>
        {/* biome-ignore lint/a11y/useSemanticElements: a table cannot place its cells by time */}
        <div
          ref={board}
          role="grid"
          aria-label={words.grid.board(formatDay(topic.date))}
          aria-rowcount={courts.length + 1}
          aria-colcount={stepsOf(scale).length + 1}
          aria-multiselectable="true"
          className={styles["board"]}
          style={{ "--steps": stepsOf(scale).length, "--now": `${placeOf(scale, now)}%` } as CSSProperties}
          {...handlers}
        >
          {/* biome-ignore lint/a11y/useSemanticElements: as above */}
          {/* biome-ignore lint/a11y/useFocusableInteractive: a heading is not pressed */}
          <div role="row" aria-rowindex={1} className={`${styles["row"]} ${styles["hours"]}`}>
            {/* biome-ignore lint/a11y/useSemanticElements: as above */}
            {/* biome-ignore lint/a11y/useFocusableInteractive: a heading is not pressed */}
            <div role="columnheader" aria-colindex={1} className={styles["corner"]}>
              {words.grid.court}
            </div>
            <div className={styles["lane"]} aria-hidden="true">
              {hours.map(hour => (
                <span key={hour} className={styles["hour"]} style={{ left: `${placeOf(scale, hour)}%` }}>
                  {formatHour(hour, club.zone)}
                </span>
              ))}
            </div>
          </div>
          {courts.map((court, index) => (
            <CourtRow
              key={court.id}
              topic={topic}
              court={court}
              index={index}
              scale={scale}
              zone={club.zone}
              mine={mine}
              held={held}
              waits={waits}
              selected={selected?.court === court.id ? spans : null}
              label={selected?.court === court.id ? price : ""}
              pending={pending?.court === court.id ? waiting : null}
              focus={resting?.court === court.id ? resting.at : null}
              past={past}
            />
          ))}
          {isToday && <div className={styles["now"]} aria-hidden="true" />}
        </div>
      </div>
      <p className={styles["hint"]}>{words.grid.hint}</p>
      <p className={styles["spoken"]} role="status">
        {draft && words.grid.selected(formatTimes(draft.from, draft.until, club.zone), price || null)}
      </p>
    </>
  )
}

/** The same object as long as the selection says the same. */
function useSpans(selection: Selection | null) {
  const [court, from, until] = [selection?.court, selection?.from ?? 0, selection?.until ?? 0]
  return useMemo(() => (court === undefined ? null : { from, until }), [court, from, until])
}

/** A price in words. Whoever is not signed in is told that of no membership. */
function useSaid(club: Club, total: number | null): string {
  const session = useSession()
  if (total === null) return ""
  const money = formatMoney(total, club.currency)
  return session ? money : words.grid.about(money)
}

function stepBefore(scale: Scale, now: number): number {
  return scale.from + Math.floor((Math.min(now, scale.until - 1) - scale.from) / scale.step) * scale.step
}

/** The first step that has not begun. */
function stepAfter(scale: Scale, now: number): number {
  return stepBefore(scale, now) + (now > scale.from ? scale.step : 0)
}

function focusOn(board: HTMLElement | null, { court, at }: Place): void {
  const cells = board?.querySelectorAll<HTMLElement>(`[data-court="${court}"] [data-from]`) ?? []
  for (const cell of cells) {
    if (Number(cell.dataset["from"]) <= at && at < Number(cell.dataset["until"])) cell.focus()
  }
}
