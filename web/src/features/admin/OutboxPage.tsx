import { useQuery, useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import type { Club } from "../../api/catalogue"
import { type OutboxState, outboxQuery, retryRow } from "../../api/outbox"
import { Problem } from "../../api/problem"
import { Notice, Trouble } from "../../ui/Notice"
import { staff } from "../../words/staff"
import { OutboxItem } from "./OutboxItem"
import { StaffPage } from "./StaffPage"
import styles from "./screens.module.css"

/** Where staff see which mails and jobs were set aside and why, and have them tried again. */
export function OutboxPage() {
  return <StaffPage title={staff.outbox.title}>{({ club }) => <Outbox club={club} />}</StaffPage>
}

function Outbox({ club }: { club: Club }) {
  const queries = useQueryClient()
  const [outcome, setOutcome] = useState<{ said: string } | { error: unknown } | null>(null)
  const { error } = useQuery(outboxQuery(club.slug, "parked"))
  if (error) return <Trouble error={error} />

  async function retry(id: string) {
    try {
      await retryRow(club.slug, id)
      setOutcome({ said: staff.outbox.retried })
    } catch (problem) {
      const gone = problem instanceof Problem && problem.status === 404
      setOutcome(gone ? { said: staff.outbox.gone } : { error: problem })
    }
    await queries.invalidateQueries({ queryKey: ["admin", "outbox", club.slug] })
  }

  return (
    <>
      {outcome && ("said" in outcome ? <Notice>{outcome.said}</Notice> : <Trouble error={outcome.error} />)}
      <div className={styles["columns"]}>
        <Rows club={club} state="parked" onRetry={retry} />
        <Rows club={club} state="pending" />
      </div>
    </>
  )
}

interface RowsProps {
  readonly club: Club
  readonly state: OutboxState
  readonly onRetry?: (id: string) => Promise<void>
}

function Rows({ club, state, onRetry }: RowsProps) {
  const { data: rows } = useQuery(outboxQuery(club.slug, state))
  const says = staff.outbox
  if (!rows) return null
  const nothing = state === "parked" ? says.noneParked : says.nonePending
  return (
    <section aria-labelledby={state}>
      <h2 id={state}>{says[state]}</h2>
      {rows.length === 0 ? (
        <p>{nothing}</p>
      ) : (
        <>
          {state === "parked" && <p>{says.parkedText}</p>}
          <ul className={styles["list"]}>
            {rows.map(row => (
              <OutboxItem key={row.id} row={row} zone={club.zone} {...(onRetry && { onRetry })} />
            ))}
          </ul>
        </>
      )}
    </section>
  )
}
