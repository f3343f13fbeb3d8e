import { useQuery } from "@tanstack/react-query"
import { useEffect, useEffectEvent } from "react"
import type { Club } from "../../api/catalogue"
import { affectedQuery, type ClosureDraft } from "../../api/collections"
import { Notice, Trouble } from "../../ui/Notice"
import { useSettled } from "../../ui/useSettled"
import { formatSpan } from "../../words/format"
import { staff } from "../../words/staff"
import { Who } from "./DeskTable"
import styles from "./staff.module.css"

const says = staff.closures

interface Props {
  readonly club: Club
  readonly draft: ClosureDraft
  /** So many bookings are in the way, they are on the page, and together have this name. */
  readonly onKnown: (affected: number, preview: string) => void
}

/** Whose bookings a closure would cancel, before it does. */
export function Affected({ club, draft, onKnown }: Props) {
  const { court_ids, start_ts, end_ts } = draft
  const place = { court_ids, start_ts, end_ts }
  const asked = JSON.stringify(place)
  const settled = useSettled(asked)
  const whole = court_ids.length > 0 && start_ts !== "" && end_ts !== ""
  const { data, error } = useQuery({
    ...affectedQuery(club.slug, JSON.parse(settled) as typeof place),
    enabled: whole && settled === asked,
  })
  const shown = settled === asked ? data : undefined
  const count = shown?.items.length
  const preview = shown?.preview
  const tell = useEffectEvent(onKnown)
  useEffect(() => {
    if (count !== undefined && preview !== undefined) tell(count, preview)
  }, [count, preview])
  if (!whole) return <p className={styles["quiet"]}>{says.choose}</p>
  if (error) return <Trouble error={error} />
  if (!shown || count === undefined) return null
  if (count === 0) return <Notice>{says.nobody}</Notice>
  return (
    <>
      <Notice trouble>{says.affected(count)}</Notice>
      <ul className={styles["affected"]} aria-label={says.affectedList}>
        {shown.items.map(booking => (
          <li key={booking.id}>
            {formatSpan(booking.start_ts, booking.end_ts, club.zone)} · <Who who={booking.booker} />
          </li>
        ))}
      </ul>
    </>
  )
}
