import { useQuery } from "@tanstack/react-query"
import { type ReactNode, useEffect, useMemo, useState, useSyncExternalStore } from "react"
import { fetchCourts } from "../../api/screen"
import { useDay } from "../../live/useLive"
import { Qr } from "../../ui/Qr"
import { addDays, formatDate, formatDay, formatTime, localDay } from "../../words/format"
import { words } from "../../words/words"
import { columnsFor } from "./layout"
import { recall, remember, type Shown } from "./memory"
import styles from "./screen.module.css"
import { shiftAt } from "./shift"
import { hoursOf } from "./status"
import { Tile } from "./Tile"
import { useGlance } from "./useGlance"
import type { ScreenLife } from "./useScreen"

const RETRY = 5_000

/** All courts of the club at one glance. */
export function Wall({ club, shown, life }: { club: string; shown: Shown; life: ScreenLife }) {
  const [kept] = useState(() => recall(club))
  const { minute, trueAt, stale } = useGlance(life.clock, life.live.connection, kept.trueAt)
  const { zone } = shown
  const date = localDay(minute, zone)
  const { topics } = life.live
  const { head, refusal } = useDay({ club, date })
  const open = useHours(club, date)
  // A club that closes past midnight: what comes then is in the row of the day after.
  const last = open.at(-1)?.[1]
  const night = last !== undefined && localDay(Date.parse(last) - 1, zone) > date ? addDays(date, 1) : null
  useDay({ club, date: night ?? date })
  const { data: courts } = useQuery({
    queryKey: ["screen", club, recall(club).token, head?.config],
    queryFn: () => fetchCourts(recall(club).token, club),
    placeholderData: known => known ?? [...kept.courts],
    staleTime: Number.POSITIVE_INFINITY,
    networkMode: "always",
    retry: true,
    retryDelay: RETRY,
  })

  // After `useDay` has begun to look at the day: what was true before the power cut, until the server says more.
  useEffect(() => {
    if (kept.day?.date === date && !topics.day({ club, date })) topics.takeSnap(kept.day)
  }, [topics, kept, club, date])
  useEffect(() => {
    const day = topics.day({ club, date })
    if (stale || trueAt === null || !day || !courts) return
    remember(club, { courts, trueAt, day: { ...day, rows: [...day.rows.values()], full: true } })
  }, [topics, club, date, courts, trueAt, stale])

  const booking = `${location.origin}/?club=${encodeURIComponent(club)}`
  const tiles = (courts ?? []).filter(({ id }) => shown.courtIds?.includes(id) ?? true)
  return (
    <main className={styles["wall"]} data-stale={stale} style={shiftAt(minute)}>
      <header className={styles["header"]}>
        <div className={styles["about"]}>
          <h1>{shown.clubName}</h1>
          <p>
            {formatDay(date)}
            {shown.name !== null && ` · ${shown.name}`}
            {trueAt !== null && !stale && ` · ${words.screen.updated(formatTime(trueAt, zone))}`}
          </p>
        </div>
        <p className={styles["clock"]}>{formatTime(minute, zone)}</p>
        <figure className={styles["book"]}>
          <Qr className={styles["qr"]} address={booking} title={words.screen.qr(booking)} />
          <figcaption>{words.screen.book}</figcaption>
        </figure>
      </header>
      {stale && (
        <p role="alert" className={styles["stale"]}>
          {trueAt === null ? words.screen.neverHeard : words.screen.stale(sinceOf(trueAt, date, zone))}
        </p>
      )}
      {refusal && <p className={styles["stale"]}>{words.screen.noGrid}</p>}
      <Tiles count={tiles.length}>
        {tiles.map(({ id, name }) => (
          <Tile key={id} {...{ club, date, night, court: id, name, open, minute, zone }} />
        ))}
      </Tiles>
    </main>
  )
}

/** When the club is open: on the day, and in the night before it. The same array as long as it says the same. */
function useHours(club: string, date: string) {
  const { head } = useDay({ club, date })
  const { head: before } = useDay({ club, date: addDays(date, -1) })
  return useMemo(() => hoursOf(before?.open ?? [], head?.open ?? []), [before, head])
}

function Tiles({ count, children }: { count: number; children: ReactNode }) {
  const size = useSyncExternalStore(onResize, () => `${innerWidth} ${innerHeight}`)
  const [width = 1, height = 1] = size.split(" ").map(Number)
  const columns = columnsFor(count, width, height * 0.82)
  const rows = Math.ceil(count / columns)
  return (
    <ul
      className={styles["tiles"]}
      style={{
        gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
        gridTemplateRows: `repeat(${rows}, minmax(0, 1fr))`,
      }}
    >
      {children}
    </ul>
  )
}

function onResize(listener: () => void): () => void {
  addEventListener("resize", listener)
  return () => removeEventListener("resize", listener)
}

function sinceOf(trueAt: number, today: string, zone: string): string {
  const time = formatTime(trueAt, zone)
  return localDay(trueAt, zone) === today ? time : `${formatDate(trueAt, zone)}, ${time}`
}
