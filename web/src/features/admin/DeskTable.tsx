import { useQuery } from "@tanstack/react-query"
import { type Club, coachesQuery, courtsQuery, equipmentQuery } from "../../api/catalogue"
import type { DeskBooking, Named } from "../../api/desk"
import { Button } from "../../ui/Button"
import { type Column, Table } from "../../ui/Table"
import { formatDate, formatMoney, formatTimes } from "../../words/format"
import { staff } from "../../words/staff"
import { aboutOf, whoOf } from "./desk"
import styles from "./staff.module.css"

export interface Asked {
  readonly what: "cancel" | "move"
  readonly booking: DeskBooking
}

interface Props {
  readonly club: Club
  readonly caption: string
  readonly bookings: readonly DeskBooking[]
  /** Whether they are of several days. */
  readonly dated?: boolean
  readonly now: number
  readonly onAsk: (asked: Asked) => void
}

/** Bookings as the desk sees them: when, where, who, with what, and what can be done about them. */
export function DeskTable({ club, caption, bookings, dated = false, now, onAsk }: Props) {
  const says = staff.today
  const extras = useExtras(club)
  const { data: courts } = useQuery(courtsQuery(club.slug, club.config_version))
  const isOver = ({ status, end_ts }: DeskBooking) => status === "cancelled" || Date.parse(end_ts) <= now
  const columns: Column<DeskBooking>[] = [
    {
      head: says.when,
      of: booking => (
        <>
          {dated && `${formatDate(booking.start_ts, club.zone)}, `}
          <span>{formatTimes(booking.start_ts, booking.end_ts, club.zone)}</span> <State booking={booking} now={now} />
        </>
      ),
    },
    {
      head: says.court,
      short: true,
      of: ({ court_id }) => courts?.find(({ id }) => id === court_id)?.name ?? "",
    },
    { head: says.who, of: booking => <Who who={booking.booker} /> },
    { head: says.with, of: extras },
    { head: says.price, figures: true, of: ({ price }) => formatMoney(price.total, price.currency) },
  ]
  return (
    <Table
      caption={caption}
      columns={columns}
      rows={bookings}
      keyOf={({ id }) => id}
      isOver={isOver}
      actions={booking =>
        !isOver(booking) &&
        (["move", "cancel"] as const).map(what => (
          <Button
            key={what}
            aria-label={says[`${what}Of`](aboutOf(booking, club.zone))}
            onClick={() => onAsk({ what, booking })}
          >
            {says[what]}
          </Button>
        ))
      }
    />
  )
}

/** Who somebody is, with the address to write to. */
export function Who({ who }: { who: Named }) {
  const { name, email } = who
  return (
    <>
      {whoOf(who)}
      {name && email && (
        <>
          {" "}
          <small className={styles["quiet"]}>
            <a href={`mailto:${email}`}>{email}</a>
          </small>
        </>
      )}
    </>
  )
}

function State({ booking, now }: { booking: DeskBooking; now: number }) {
  if (booking.status === "cancelled") return <span className={styles["tag"]}>{staff.today.cancelled}</span>
  if (Date.parse(booking.start_ts) > now || Date.parse(booking.end_ts) <= now) return null
  return <span className={styles["tag"]}>{staff.today.running}</span>
}

/** Says with whom and with what a booking is, or is to be. */
export function useExtras(club: Club): (wish: Pick<DeskBooking, "coach_id" | "equipment">) => string {
  const { data: coaches } = useQuery(coachesQuery(club.slug, club.config_version))
  const { data: pools } = useQuery(equipmentQuery(club.slug, club.config_version))
  return ({ coach_id, equipment }) => {
    const coach = coaches?.find(({ id }) => id === coach_id)
    const items = equipment.map(({ equipment_id, quantity }) => {
      const pool = pools?.find(({ id }) => id === equipment_id)
      return pool ? staff.today.items(pool.name, quantity) : ""
    })
    return [coach ? staff.today.coach(coach.name) : "", ...items].filter(Boolean).join(", ")
  }
}
