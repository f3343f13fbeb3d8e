import { useQuery, useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import type { Club } from "../../api/catalogue"
import { type OutboxState, outboxQuery, retryRow } from "../../api/outbox"
import { Problem } from "../../api/problem"
import { useClub } from "../../api/useClub"
import { useSession } from "../../api/useSession"
import { Notice, Trouble } from "../../ui/Notice"
import { Page } from "../../ui/Page"
import { words } from "../../words/words"
import { OutboxItem } from "./OutboxItem"
import { StaffOnly } from "./StaffOnly"
import styles from "./screens.module.css"

/** Where staff see which mails and jobs were set aside and why, and have them tried again. */
export function OutboxPage() {
  const session = useSession()
  const { club, error } = useClub()
  return (
    <Page title={words.outbox.title}>
      {error !== null && <Trouble error={error} />}
      {session === null ? <StaffOnly signIn /> : club && <Outbox key={session.user.id} club={club} />}
    </Page>
  )
}

function Outbox({ club }: { club: Club }) {
  const queries = useQueryClient()
  const [outcome, setOutcome] = useState<{ said: string } | { error: unknown } | null>(null)
  const { error } = useQuery(outboxQuery(club.slug, "parked"))
  if (error instanceof Problem && error.status === 403) return <StaffOnly />
  if (error) return <Trouble error={error} />

  async function retry(id: string) {
    try {
      await retryRow(club.slug, id)
      setOutcome({ said: words.outbox.retried })
    } catch (problem) {
      const gone = problem instanceof Problem && problem.status === 404
      setOutcome(gone ? { said: words.outbox.gone } : { error: problem })
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
  const says = words.outbox
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
