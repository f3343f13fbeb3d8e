import { useQueryClient } from "@tanstack/react-query"
import { useRef, useState } from "react"
import type { Club, Court } from "../../api/catalogue"
import { Problem } from "../../api/problem"
import { type AdminScreen, changeScreen, revokeScreen, screensQuery } from "../../api/screens"
import { Button } from "../../ui/Button"
import { Field } from "../../ui/Field"
import { Notice, Trouble } from "../../ui/Notice"
import { formatMoment } from "../../words/format"
import { staff } from "../../words/staff"
import { CourtsChoice, courtsOf } from "./CourtsChoice"
import styles from "./screens.module.css"

interface Props {
  readonly screen: AdminScreen
  readonly courts: readonly Court[]
  readonly club: Club
}

/** A screen, with what staff may do about it. */
export function ScreenItem({ screen, courts, club }: Props) {
  const queries = useQueryClient()
  const [editing, setEditing] = useState(false)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const question = useRef<HTMLDialogElement>(null)
  const says = staff.screens
  const titled = `screen-${screen.id}`

  async function run(change: () => Promise<void>) {
    setBusy(true)
    setError(null)
    try {
      await change()
      setEditing(false)
    } catch (problem) {
      setError(problem)
    }
    question.current?.close()
    await queries.invalidateQueries(screensQuery(club.slug))
    setBusy(false)
  }

  return (
    <li className={styles["item"]} data-revoked={screen.revoked_at !== null}>
      <h3>{screen.name}</h3>
      <p>
        {courtNames(screen, courts)} · {stateOf(screen, club.zone)}
      </p>
      {error !== null && <Refusal error={error} />}
      {screen.revoked_at === null && !editing && (
        <div className={styles["actions"]}>
          <Button aria-label={`${says.edit}: ${screen.name}`} onClick={() => setEditing(true)}>
            {says.edit}
          </Button>
          <Button aria-label={`${says.revoke}: ${screen.name}`} onClick={() => question.current?.showModal()}>
            {says.revoke}
          </Button>
        </div>
      )}
      {editing && (
        <form
          key={screen.version}
          onSubmit={event => {
            event.preventDefault()
            const form = new FormData(event.currentTarget)
            const name = String(form.get("name")).trim()
            void run(() => changeScreen(screen, { name, court_ids: courtsOf(form) }))
          }}
        >
          <Field label={says.name} name="name" defaultValue={screen.name} maxLength={80} autoComplete="off" required />
          <CourtsChoice courts={courts} chosen={screen.court_ids} />
          <div className={styles["actions"]}>
            <Button look="primary" type="submit" disabled={busy}>
              {says.save}
            </Button>
            <Button onClick={() => setEditing(false)}>{says.cancel}</Button>
          </div>
        </form>
      )}
      <dialog ref={question} className={styles["question"]} aria-labelledby={titled}>
        <h2 id={titled}>{says.revokeTitle(screen.name)}</h2>
        <p>{says.revokeText}</p>
        <div className={styles["actions"]}>
          <Button look="primary" disabled={busy} onClick={() => void run(() => revokeScreen(screen))}>
            {says.revoke}
          </Button>
          <Button onClick={() => question.current?.close()}>{says.keep}</Button>
        </div>
      </dialog>
    </li>
  )
}

function Refusal({ error }: { error: unknown }) {
  const changed = error instanceof Problem && error.status === 412
  return changed ? <Notice trouble>{staff.changedMeanwhile}</Notice> : <Trouble error={error} />
}

function courtNames({ court_ids }: AdminScreen, courts: readonly Court[]): string {
  if (court_ids === null) return staff.screens.showsAll
  return courts
    .filter(({ id }) => court_ids.includes(id))
    .map(({ name }) => name)
    .join(", ")
}

function stateOf({ revoked_at, last_seen_at, paired }: AdminScreen, zone: string): string {
  const says = staff.screens.state
  const at = (instant: string) => formatMoment(instant, zone)
  if (revoked_at !== null) return says.revoked(at(revoked_at))
  if (!paired) return says.waiting
  return last_seen_at === null ? says.never : says.seen(at(last_seen_at))
}
