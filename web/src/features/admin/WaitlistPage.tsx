import { useQuery, useQueryClient } from "@tanstack/react-query"
import { useCallback, useState } from "react"
import type { Club } from "../../api/catalogue"
import { lineQuery, nextInLineQuery } from "../../api/line"
import { useDayChanges } from "../../live/useDayChanges"
import { Button } from "../../ui/Button"
import { Notice, Trouble } from "../../ui/Notice"
import { formatDay, localDay } from "../../words/format"
import { staff } from "../../words/staff"
import { DayChoice, useChosenDay } from "./DayChoice"
import { LineDialog } from "./LineDialog"
import { type AskedOfLine, LineTable } from "./LineTable"
import { StaffPage } from "./StaffPage"
import styles from "./staff.module.css"

const says = staff.line

/** Who waits for what on a day, what is offered to whom, and what can be done about it. */
export function WaitlistPage() {
  return (
    <StaffPage title={says.title}>
      {({ club }) => (
        <>
          <p>{says.text}</p>
          <Line club={club} />
        </>
      )}
    </StaffPage>
  )
}

function Line({ club }: { club: Club }) {
  const queries = useQueryClient()
  const day = useChosenDay(club.zone)
  const { date, go } = day
  const [asked, setAsked] = useState<AskedOfLine | null>(null)
  const [done, setDone] = useState<string | null>(null)
  const { data, error } = useQuery(lineQuery(club.slug, date))
  const { data: next } = useQuery(nextInLineQuery(club.slug, date))
  const look = useCallback(
    () => void queries.invalidateQueries({ queryKey: ["admin", "line", club.slug] }),
    [queries, club],
  )
  useDayChanges({ club: club.slug, date }, look)

  const ask = (what: AskedOfLine) => {
    setDone(null)
    setAsked(what)
  }
  const nextDay = next && localDay(next.start_ts, club.zone)
  return (
    <>
      {done !== null && <Notice>{done}</Notice>}
      {error && <Trouble error={error} />}
      <div className={styles["bar"]}>
        <DayChoice {...day} />
      </div>
      <section aria-labelledby="line">
        <h2 id="line">{says.heading(formatDay(date))}</h2>
        {data?.entries.length === 0 && <p>{says.none}</p>}
        {data && data.entries.length > 0 && (
          <>
            <p className={styles["quiet"]}>{says.count(data.entries.length)}</p>
            <LineTable club={club} date={date} entries={data.entries} ahead={data.ahead} onAsk={ask} onOver={look} />
          </>
        )}
        {nextDay && nextDay > date && (
          <p>
            <Button onClick={() => go(nextDay)}>{says.next(formatDay(nextDay))}</Button>
          </p>
        )}
      </section>
      {asked && (
        <LineDialog
          club={club}
          asked={asked}
          onClose={() => setAsked(null)}
          onDone={said => {
            setAsked(null)
            setDone(said)
            look()
          }}
        />
      )}
    </>
  )
}
