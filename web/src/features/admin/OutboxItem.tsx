import { useState } from "react"
import type { OutboxRow } from "../../api/outbox"
import { Button } from "../../ui/Button"
import { formatMoment } from "../../words/format"
import { staff } from "../../words/staff"
import styles from "./screens.module.css"

interface Props {
  readonly row: OutboxRow
  readonly zone: string
  readonly onRetry?: (id: string) => Promise<void>
}

/** A mail or a job: what it is about, what became of it, and trying it again. */
export function OutboxItem({ row, zone, onRetry }: Props) {
  const [busy, setBusy] = useState(false)
  const says = staff.outbox
  const at = (instant: string) => formatMoment(instant, zone)
  const name = says.kinds[row.kind] ?? row.kind
  const state = row.parked_at === null ? says.due(at(row.run_at)) : says.since(at(row.parked_at))

  async function retry(again: (id: string) => Promise<void>) {
    setBusy(true)
    await again(row.id)
    setBusy(false)
  }

  return (
    <li className={styles["item"]}>
      <h3>{name}</h3>
      <p>{[...aboutOf(row), state, ...(row.attempts > 0 ? [says.tries(row.attempts)] : [])].join(" · ")}</p>
      {row.last_error !== null && <p>{row.last_error}</p>}
      {onRetry && (
        <Button
          aria-label={says.retryAll(name, at(row.created_at))}
          disabled={busy}
          onClick={() => void retry(onRetry)}
        >
          {says.retry}
        </Button>
      )}
    </li>
  )
}

function aboutOf({ booking_id, entry_id, user_id }: OutboxRow): string[] {
  const says = staff.outbox.about
  return [
    ...(booking_id === null ? [] : [says.booking(booking_id)]),
    ...(entry_id === null ? [] : [says.entry(entry_id)]),
    ...(user_id === null ? [] : [says.user(user_id)]),
  ]
}
