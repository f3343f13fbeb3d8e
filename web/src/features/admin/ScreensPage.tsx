import { useQuery, useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import { type Club, courtsQuery } from "../../api/catalogue"
import { approveScreen, type ScreenDraft, screensQuery } from "../../api/screens"
import { Button } from "../../ui/Button"
import { Field } from "../../ui/Field"
import { Notice, Trouble } from "../../ui/Notice"
import { staff } from "../../words/staff"
import { CourtsChoice, courtsOf } from "./CourtsChoice"
import { ScreenItem } from "./ScreenItem"
import { StaffPage } from "./StaffPage"
import styles from "./screens.module.css"

/** Where staff let screens in, say what they show, and shut them out. */
export function ScreensPage() {
  return <StaffPage title={staff.screens.title}>{({ club }) => <Screens club={club} />}</StaffPage>
}

function Screens({ club }: { club: Club }) {
  const { data: screens, error } = useQuery(screensQuery(club.slug))
  const { data: courts } = useQuery(courtsQuery(club.slug, club.config_version))
  if (error) return <Trouble error={error} />
  if (!screens || !courts) return null
  const says = staff.screens
  return (
    <div className={styles["columns"]}>
      <section aria-labelledby="list">
        <h2 id="list">{says.list}</h2>
        {screens.length === 0 ? (
          <p>{says.none}</p>
        ) : (
          <ul className={styles["list"]}>
            {screens.map(screen => (
              <ScreenItem key={screen.id} screen={screen} courts={courts} club={club} />
            ))}
          </ul>
        )}
      </section>
      <section aria-labelledby="add">
        <h2 id="add">{says.add}</h2>
        <p>{says.how(`${location.host}/screen/${club.slug}`)}</p>
        <Approval club={club} courts={courts} />
      </section>
    </div>
  )
}

function Approval({ club, courts }: { club: Club; courts: Parameters<typeof CourtsChoice>[0]["courts"] }) {
  const queries = useQueryClient()
  const [outcome, setOutcome] = useState<{ approved: string } | { error: unknown } | null>(null)
  const [busy, setBusy] = useState(false)
  const [round, setRound] = useState(0)
  const says = staff.screens

  async function approve(form: FormData) {
    const draft: ScreenDraft = {
      code: String(form.get("code")).trim(),
      name: String(form.get("name")).trim(),
      court_ids: courtsOf(form),
    }
    setBusy(true)
    try {
      const { name } = await approveScreen(club.slug, draft)
      setOutcome({ approved: name })
      setRound(done => done + 1)
      await queries.invalidateQueries(screensQuery(club.slug))
    } catch (error) {
      setOutcome({ error })
    }
    setBusy(false)
  }

  return (
    <>
      {outcome && "approved" in outcome && <Notice>{says.approved(outcome.approved)}</Notice>}
      {outcome && "error" in outcome && <Trouble error={outcome.error} />}
      <form
        key={round}
        onSubmit={event => {
          event.preventDefault()
          void approve(new FormData(event.currentTarget))
        }}
      >
        <Field label={says.code} hint={says.codeHint} name="code" autoComplete="off" maxLength={20} required />
        <Field label={says.name} hint={says.nameHint} name="name" autoComplete="off" maxLength={80} required />
        <CourtsChoice courts={courts} chosen={null} />
        <Button look="primary" type="submit" disabled={busy}>
          {says.approve}
        </Button>
      </form>
    </>
  )
}
