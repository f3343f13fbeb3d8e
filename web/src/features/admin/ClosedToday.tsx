import { useQuery } from "@tanstack/react-query"
import type { Club, Court } from "../../api/catalogue"
import { closures, collectionQuery } from "../../api/collections"
import { addDays, formatSpan } from "../../words/format"
import { staff } from "../../words/staff"

interface Props {
  readonly club: Club
  readonly courts: readonly Court[]
  readonly date: string
}

/** What is closed on a day, and why: whoever stands at the desk is asked. */
export function ClosedToday({ club, courts, date }: Props) {
  const { data } = useQuery(collectionQuery(club.slug, closures))
  // Answers carry the club's own offset, so these are its days.
  const those = data?.filter(({ start_ts, end_ts }) => start_ts < addDays(date, 1) && end_ts > date) ?? []
  if (those.length === 0) return null
  return (
    <section aria-labelledby="closed">
      <h2 id="closed">{staff.today.closures}</h2>
      <ul>
        {those.map(({ id, court_ids, start_ts, end_ts, reason }) => {
          const names = courts.filter(court => court_ids.includes(court.id)).map(court => court.name)
          const when = formatSpan(start_ts, end_ts, club.zone)
          return <li key={id}>{[names.join(", "), when, reason].filter(Boolean).join(" · ")}</li>
        })}
      </ul>
    </section>
  )
}
