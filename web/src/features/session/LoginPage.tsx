import { useState } from "react"
import { Link, useLocation, useSearchParams } from "wouter"
import { Problem } from "../../api/problem"
import { signIn } from "../../api/session"
import { Form } from "../../ui/Form"
import { Page } from "../../ui/Page"
import { words } from "../../words/words"
import { CodeField, EmailField, PasswordField } from "./fields"
import { takeNext, withNext } from "./next"

interface Credentials {
  readonly email: string
  readonly password: string
}

/** Signs in, with a second step where the account has one, and leads back to where one came from. */
export function LoginPage() {
  const [, navigate] = useLocation()
  const [search] = useSearchParams()
  const next = search.get("next")
  const [known, setKnown] = useState<Credentials | null>(null)
  const enter = async ({ email, password }: Credentials, code?: string) => {
    await signIn(email, password, code)
    navigate(takeNext(next), { replace: true })
  }
  if (known) {
    return (
      <Page key="second" title={words.login.second} narrow follows>
        <p>{words.login.secondText}</p>
        <Form submit={words.login.submit} act={({ totp = "" }) => enter(known, totp)}>
          {problem => <CodeField problem={problem} name="totp" label={words.account.factor.code} />}
        </Form>
      </Page>
    )
  }
  return (
    <Page title={words.login.title} narrow>
      <Form
        submit={words.login.submit}
        act={async ({ email = "", password = "" }) => {
          try {
            await enter({ email, password })
          } catch (problem) {
            if (!(problem instanceof Problem) || problem.code !== "totp_required") throw problem
            setKnown({ email, password })
          }
        }}
      >
        {problem => (
          <>
            <EmailField problem={problem} />
            <PasswordField problem={problem} kind="current" />
          </>
        )}
      </Form>
      <p>
        <Link href={withNext("/forgot", next)}>{words.login.forgot}</Link>
      </p>
      <p>
        <Link href={withNext("/register", next)}>{words.login.register}</Link>
      </p>
    </Page>
  )
}
