import { type SubmitEvent, useState } from "react"
import { Link, useLocation, useSearchParams } from "wouter"
import { signIn } from "../../api/session"
import { Button } from "../../ui/Button"
import { Field } from "../../ui/Field"
import { Trouble } from "../../ui/Notice"
import { Page } from "../../ui/Page"
import { words } from "../../words/words"

/** Signs in and leads back to where one came from. */
export function LoginPage() {
  const [, navigate] = useLocation()
  const [search] = useSearchParams()
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)

  async function submit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    setBusy(true)
    try {
      await signIn(String(form.get("email")), String(form.get("password")))
      navigate(localPath(search.get("next")), { replace: true })
    } catch (problem) {
      setError(problem)
      setBusy(false)
    }
  }

  return (
    <Page title={words.login.title} narrow>
      {error !== null && <Trouble error={error} />}
      <form onSubmit={submit}>
        <Field label={words.login.email} name="email" type="email" autoComplete="username" required />
        <Field label={words.login.password} name="password" type="password" autoComplete="current-password" required />
        <Button look="primary" type="submit" disabled={busy}>
          {words.login.submit}
        </Button>
      </form>
      <p>
        <Link href="/forgot">{words.login.forgot}</Link>
      </p>
      <p>
        <Link href="/register">{words.login.register}</Link>
      </p>
    </Page>
  )
}

/** A path of this page; anything else could lead away from it. */
function localPath(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) ? next : "/"
}
