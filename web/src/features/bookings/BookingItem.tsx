import { useQuery } from "@tanstack/react-query"
import type { ReactNode } from "react"
import { coachesQuery, equipmentQuery } from "../../api/catalogue"
import type { Booking } from "../../api/myBookings"
import { formatMoney, formatSpan } from "../../words/format"
import { words } from "../../words/words"
import styles from "./Bookings.module.css"
import { CalendarLink } from "./CalendarLink"
import { usePlace } from "./usePlace"

interface Props {
  readonly booking: Booking
  /** What can be done about it. */
  readonly children?: ReactNode
}

/** A booking in one's own list. */
export function BookingItem({ booking, children }: Props) {
  const { club, court, zone } = usePlace(booking)
  const config = club?.config_version ?? 0
  const coaches = useQuery({ ...coachesQuery(booking.club, config), enabled: !!club && booking.coach_id !== null })
  const pools = useQuery({ ...equipmentQuery(booking.club, config), enabled: !!club && booking.equipment.length > 0 })
  const coach = coaches.data?.find(({ id }) => id === booking.coach_id)?.name
  const things = booking.equipment.map(({ equipment_id, quantity }) => {
    const pool = pools.data?.find(({ id }) => id === equipment_id)
    return pool && `${pool.name} × ${quantity}`
  })
  const extras = [coach && words.bookings.coach(coach), ...things].filter(Boolean)
  return (
    <li className={styles["booking"]}>
      <h3 className={styles["when"]}>{formatSpan(booking.start_ts, booking.end_ts, zone)}</h3>
      <p className={styles["what"]}>
        {[court, ...extras, formatMoney(booking.price.total, booking.price.currency)].join(" · ")}
      </p>
      {children && (
        <div className={styles["actions"]}>
          {children}
          <CalendarLink booking={booking.id} />
        </div>
      )}
    </li>
  )
}
