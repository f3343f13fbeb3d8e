import { useQuery, useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import { Link } from "wouter"
import type { Club, Court } from "../../api/catalogue"
import { deskQuery } from "../../api/desk"
import type { Topic } from "../../live/protocol"
import { Button, buttonClass } from "../../ui/Button"
import { Notice, Trouble } from "../../ui/Notice"
import { formatSpan } from "../../words/format"
import { staff } from "../../words/staff"
import { Lines } from "../booking/Lines"
import { Sheet } from "../booking/Sheet"
import { type Asked, useExtras, Who } from "./DeskTable"
import { Settle } from "./Settle"
import styles from "./staff.module.css"

const says = staff.atDesk

interface Props {
  readonly club: Club
  readonly topic: Topic
  readonly court: Court
  /** What the grid calls the booking. */
  readonly gridRef: string
  readonly onClose: () => void
}

/** Somebody's booking that staff have pressed on the grid: whose it is, and what can be done about it. */
export function AtDesk({ club, topic, court, gridRef, onClose }: Props) {
  const queries = useQueryClient()
  const extras = useExtras(club)
  const [asked, setAsked] = useState<Asked["what"] | null>(null)
  const { data, error, isFetching } = useQuery({ ...deskQuery(club.slug, topic.date), staleTime: 0 })
  const booking = data?.find(({ grid_ref }) => grid_ref === gridRef)
  const history = ({ id }: { id: string }) => new URLSearchParams({ club: club.slug, about: id })
  const withWhat = booking && extras(booking)
  return (
    <Sheet title={says.title} onClose={onClose}>
      {error && <Trouble error={error} />}
      {data && !booking && !isFetching && <Notice>{says.notThere}</Notice>}
      {booking && (
        <>
          <p className={styles["chosen"]}>
            <Who who={booking.booker} />
          </p>
          <p>
            {court.name} · {formatSpan(booking.start_ts, booking.end_ts, club.zone)}
          </p>
          {withWhat && <p>{withWhat}</p>}
          <Lines price={booking.price} />
          <div className={styles["actions"]}>
            <Button onClick={() => setAsked("move")}>{staff.today.move}</Button>
            <Button onClick={() => setAsked("cancel")}>{staff.today.cancel}</Button>
            <Link href={`/admin/audit?${history(booking)}`} className={buttonClass("quiet")}>
              {staff.audit.title}
            </Link>
          </div>
          {asked && (
            <Settle
              asked={{ what: asked, booking }}
              onClose={() => setAsked(null)}
              onDone={() => {
                void queries.invalidateQueries({ queryKey: ["admin", "desk", club.slug] })
                onClose()
              }}
            />
          )}
        </>
      )}
    </Sheet>
  )
}
