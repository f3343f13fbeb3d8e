import { useQuery, useQueryClient } from "@tanstack/react-query"
import { availabilityQuery, quote, type Wanted } from "../../api/bookings"
import type { Club, Court } from "../../api/catalogue"
import { Problem } from "../../api/problem"
import type { Topic } from "../../live/protocol"
import { useLive } from "../../live/useLive"
import { Button } from "../../ui/Button"
import { formatMoney, formatTimes } from "../../words/format"
import { words } from "../../words/words"
import { nearest, rfc, type Scale } from "../grid/timeline"
import styles from "./Drawer.module.css"

const MOST = 3

interface Props {
  readonly club: Club
  readonly topic: Topic
  readonly courts: readonly Court[]
  readonly scale: Scale
  readonly wanted: Wanted
  readonly now: number
  readonly busy: boolean
  readonly onBook: (wanted: Wanted, total: number) => void
}

/** The nearest that is free when somebody was faster: each is booked by one press, at the price that it shows. */
export function Alternatives({ club, topic, courts, scale, wanted, now, busy, onBook }: Props) {
  const { topics } = useLive()
  const queries = useQueryClient()
  const { data } = useQuery({
    queryKey: ["alternatives", club.slug, wanted],
    staleTime: 0,
    queryFn: async () => {
      const found: { wanted: Wanted; total: number }[] = []
      for (const candidate of candidates()) {
        if (found.length === MOST) break
        if (!(await isBookable(candidate))) continue
        const total = await totalOf(candidate)
        if (total !== null) found.push({ wanted: candidate, total })
      }
      return found
    },
  })

  /** The same time on courts of the same sport, the same court at near times, then the other courts. */
  function candidates(): Wanted[] {
    const kind = courts.find(court => court.id === wanted.court_id)?.kind
    const others = courts.filter(court => court.id !== wanted.court_id)
    const elsewhere = (same: boolean) =>
      others.filter(court => (court.kind === kind) === same).map(court => ({ ...wanted, court_id: court.id }))
    const span = { from: Date.parse(wanted.start_ts), until: Date.parse(wanted.end_ts) }
    const later = nearest(scale, topics.row(topic, wanted.court_id), span, now)
      .slice(0, 2 * MOST)
      .map(({ from, until }) => ({ ...wanted, start_ts: rfc(from), end_ts: rfc(until) }))
    return [...elsewhere(true).slice(0, 2), ...later, ...elsewhere(false)]
  }
  async function isBookable(candidate: Wanted): Promise<boolean> {
    const free = await queries.fetchQuery(availabilityQuery(club.slug, candidate.start_ts, candidate.end_ts))
    const left = new Map(free.equipment.map(pool => [pool.id, pool.remaining]))
    return (
      free.courts.some(court => court.id === candidate.court_id && court.bookable) &&
      (candidate.coach_id === null || free.coaches.some(coach => coach.id === candidate.coach_id)) &&
      candidate.equipment.every(item => item.quantity <= (left.get(item.equipment_id) ?? 0))
    )
  }

  if (!data) return <Looking />
  if (data.length === 0) return <p>{words.booking.nothingNear}</p>
  return (
    <div className={styles["alternatives"]}>
      <h3>{words.booking.nearby}</h3>
      {data.map(({ wanted: other, total }) => (
        <Button key={`${other.court_id} ${other.start_ts}`} disabled={busy} onClick={() => onBook(other, total)}>
          {words.booking.alternative(
            courts.find(court => court.id === other.court_id)?.name ?? "",
            formatTimes(other.start_ts, other.end_ts, club.zone),
            formatMoney(total, club.currency),
          )}
        </Button>
      ))}
    </div>
  )
}

/** Where they will be, so that nothing below moves when they are found. */
function Looking() {
  return (
    <div className={styles["alternatives"]} aria-hidden="true">
      <h3>{words.booking.nearby}</h3>
      {Array.from({ length: MOST }, (_, index) => index).map(index => (
        <span key={index} />
      ))}
    </div>
  )
}

/** What it costs; null if it cannot be booked after all. */
async function totalOf(candidate: Wanted): Promise<number | null> {
  try {
    return (await quote(candidate)).total
  } catch (problem) {
    if (problem instanceof Problem && problem.status >= 400 && problem.status < 500) return null
    throw problem
  }
}
