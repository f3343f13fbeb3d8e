import { useQuery, useQueryClient } from "@tanstack/react-query"
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react"
import { mineQuery } from "../../api/bookings"
import { type Club, type Court, courtsQuery, freeCoachesQuery } from "../../api/catalogue"
import { useClub } from "../../api/useClub"
import { useNow } from "../../api/useNow"
import { useSession } from "../../api/useSession"
import type { Topic } from "../../live/protocol"
import { useDayChanges } from "../../live/useDayChanges"
import { useDay } from "../../live/useLive"
import { Notice, Trouble } from "../../ui/Notice"
import { Page } from "../../ui/Page"
import { useWide } from "../../ui/useWide"
import { formatDay, isElsewhere, localDay } from "../../words/format"
import { words } from "../../words/words"
import { useHeldForMe, useWaits } from "../waitlist/useWaiting"
import { Age } from "./Age"
import { Board } from "./Board"
import { DayStrip } from "./DayStrip"
import { Filters } from "./Filters"
import styles from "./GridPage.module.css"
import { Times } from "./Times"
import { scaleOf, windowsOf } from "./timeline"
import { usePrice } from "./usePrices"
import { isShown, type Selection, useView, type View } from "./view"

const fetchDrawer = () => import("../booking/Drawer")
const Drawer = lazy(async () => ({ default: (await fetchDrawer()).Drawer }))
const NONE: readonly Court[] = []
const NOBODY: readonly never[] = []
/** So many times fill a phone. */
const CHIPS = 12

/** The live grid of a day: which courts are free when, and booking them. */
export function GridPage() {
  const { club, named, error } = useClub()
  // Before it is pressed for: over a slow line a press would show nothing for seconds, and over none the page would go.
  const ready = club != null
  useEffect(() => {
    if (ready) fetchDrawer().catch(() => undefined)
  }, [ready])
  return (
    <Page title={words.grid.title} untitled>
      {error !== null && <Trouble error={error} />}
      {club === null && <Notice>{named ? words.grid.members : words.grid.noClubs}</Notice>}
      {club && <Day club={club} />}
    </Page>
  )
}

function Day({ club }: { club: Club }) {
  const now = useNow()
  const { view, change, select, reselect, unselect, take } = useView(localDay(now, club.zone))
  const topic = useMemo(() => ({ club: club.slug, date: view.date }), [club.slug, view.date])
  const { head, refusal } = useDay(topic)
  const config = head?.config ?? club.config_version
  const { data, error } = useQuery({ ...courtsQuery(club.slug, config), placeholderData: known => known })
  const all = data ?? NONE
  const courts = useMemo(() => all.filter(court => isShown(view, court)), [all, view])
  const { coaches, coached } = useCoaches(club, view, topic)
  const day = useMemo(() => head && scaleOf(head.open, club.policy.granularity), [head, club.policy.granularity])
  const scale = useMemo(() => day && (coached ? { ...day, coached } : day), [day, coached])
  const wide = useWide()
  const [pending, setPending] = useState<Selection | null>(null)
  const total = usePrice(club, view.date, config, view.selection)
  const shown = { club, topic, config, courts, now, mine: useMine(club, view.date), held: useHeldForMe() }
  const waits = useWaits(club.slug)
  return (
    <>
      <DayStrip club={club} date={view.date} now={now} onGo={date => change({ date, selection: null })} />
      <div className={styles["head"]}>
        <h2>{formatDay(view.date)}</h2>
        <Filters courts={all} coaches={coaches} view={view} onChange={change} />
      </div>
      {isElsewhere(club.zone, view.date) && <p>{words.app.zone(club.zone)}</p>}
      {error !== null && <Trouble error={error} />}
      {refusal && <Notice trouble>{refusal === "forbidden_topic" ? words.grid.members : words.grid.noGrid}</Notice>}
      {scale === null && <Notice>{words.grid.closedDay}</Notice>}
      {data && courts.length === 0 && <Notice>{words.grid.noCourts}</Notice>}
      {!head && !refusal && <Skeleton count={wide ? courts.length : CHIPS} wide={wide} />}
      <Age now={now}>
        {scale && wide && (
          <Board
            key={view.date}
            {...shown}
            scale={scale}
            waits={waits}
            pending={pending}
            selection={view.selection}
            onSelect={select}
          />
        )}
        {scale && !wide && <Times {...shown} scale={scale} waits={waits} onSelect={select} />}
      </Age>
      {scale && view.selection && data && (
        <Suspense>
          <Drawer
            {...shown}
            courts={all}
            scale={scale}
            selection={view.selection}
            total={total}
            extras={view.extras}
            onChange={reselect}
            onExtras={take}
            onPending={setPending}
            onClose={unselect}
          />
        </Suspense>
      )}
    </>
  )
}

/** Where the grid will be, as long as it is on its way. */
function Skeleton({ count, wide }: { count: number; wide: boolean }) {
  return (
    <div className={styles["skeleton"]} data-wide={wide} aria-hidden="true">
      {Array.from({ length: count }, (_, index) => index).map(index => (
        <span key={index} />
      ))}
    </div>
  )
}

/** The coaches that one may wish for, and when a wished one is free. */
function useCoaches(club: Club, view: View, topic: Topic) {
  const session = useSession()
  const queries = useQueryClient()
  const wished = view.coach !== null
  // Where no coach is wished for, nobody sees a difference: it is not asked again at every booking.
  const changed = useCallback(() => {
    if (wished) void queries.invalidateQueries({ queryKey: ["coaches", "free"] })
  }, [queries, wished])
  useDayChanges(topic, changed)
  const { data } = useQuery({ ...freeCoachesQuery(club.slug, view.date), enabled: session !== null })
  const coached = useMemo(() => {
    if (view.coach === null || !data) return undefined
    return data.filter(coach => view.coach === "any" || coach.id === view.coach).flatMap(coach => windowsOf(coach.free))
  }, [view.coach, data])
  return { coaches: data ?? NOBODY, coached }
}

/** The `grid_ref`s of one's own bookings of the day. */
function useMine(club: Club, date: string): ReadonlySet<string> {
  const session = useSession()
  const { data } = useQuery({ ...mineQuery(club.slug, date), enabled: session !== null })
  return useMemo(() => new Set(session ? data?.map(booking => booking.grid_ref) : []), [data, session])
}
