import { useQuery, useQueryClient } from "@tanstack/react-query"
import { useCallback, useState } from "react"
import { Link, useSearchParams } from "wouter"
import { type Club, courtsQuery } from "../../api/catalogue"
import { deskQuery } from "../../api/desk"
import { useNow } from "../../api/useNow"
import { useDayChanges } from "../../live/useDayChanges"
import { buttonClass } from "../../ui/Button"
import { Field } from "../../ui/Field"
import { Notice, Trouble } from "../../ui/Notice"
import { formatDay } from "../../words/format"
import { staff } from "../../words/staff"
import { ClosedToday } from "./ClosedToday"
import { DayChoice, useChosenDay } from "./DayChoice"
import { type Asked, DeskTable } from "./DeskTable"
import { inOrder, isFound } from "./desk"
import { Others } from "./Others"
import { Settle } from "./Settle"
import { StaffPage } from "./StaffPage"
import styles from "./staff.module.css"

const says = staff.today

/** The home of the club's staff: who comes today, and whatever is to be done about it. */
export function TodayPage() {
  return <StaffPage title={says.title}>{({ club }) => <Today club={club} />}</StaffPage>
}

function Today({ club }: { club: Club }) {
  const queries = useQueryClient()
  const now = useNow()
  const { today, date, go } = useChosenDay(club.zone)
  const [address] = useSearchParams()
  const [search, setSearch] = useState("")
  const [cancelledToo, setCancelledToo] = useState(false)
  const [asked, setAsked] = useState<Asked | null>(null)
  const [done, setDone] = useState<string | null>(null)
  const { data, error } = useQuery(deskQuery(club.slug, date))
  const { data: courts } = useQuery(courtsQuery(club.slug, club.config_version))
  const look = useCallback(
    () => void queries.invalidateQueries({ queryKey: ["admin", "desk", club.slug] }),
    [queries, club],
  )
  useDayChanges({ club: club.slug, date }, look)

  const shown = data?.filter(booking => isFound(booking, search) && (cancelledToo || booking.status === "confirmed"))
  const ask = (what: Asked) => {
    setDone(null)
    setAsked(what)
  }
  const settled = (said: string) => {
    setAsked(null)
    setDone(said)
    look()
  }
  const book = new URLSearchParams({ ...(address.get("club") && { club: club.slug }), date })
  return (
    <>
      {done !== null && <Notice>{done}</Notice>}
      {error && <Trouble error={error} />}
      <div className={styles["bar"]}>
        <DayChoice today={today} date={date} go={go} />
        <Field
          label={says.search}
          type="search"
          autoComplete="off"
          value={search}
          onChange={event => setSearch(event.target.value)}
        />
        <label className={styles["check"]}>
          <input type="checkbox" checked={cancelledToo} onChange={event => setCancelledToo(event.target.checked)} />
          {says.cancelledToo}
        </label>
        <Link href={`/?${book}`} className={buttonClass("primary")}>
          {says.book}
        </Link>
      </div>
      <section aria-labelledby="day">
        <h2 id="day">{says.bookings(formatDay(date))}</h2>
        {shown && shown.length > 0 && <p className={styles["quiet"]}>{says.count(shown.length)}</p>}
        {shown?.length === 0 && <p>{search.trim() ? says.noneOf(search.trim()) : says.none}</p>}
        {shown && shown.length > 0 && (
          <DeskTable
            club={club}
            caption={says.bookings(formatDay(date))}
            bookings={inOrder(shown, courts?.map(({ id }) => id) ?? [])}
            now={now}
            onAsk={ask}
          />
        )}
      </section>
      {courts && <ClosedToday club={club} courts={courts} date={date} />}
      <Others club={club} search={search.trim()} today={today} now={now} onAsk={ask} />
      {asked && <Settle asked={asked} onClose={() => setAsked(null)} onDone={settled} />}
    </>
  )
}
