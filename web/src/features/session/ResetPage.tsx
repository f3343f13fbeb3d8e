import { useState } from "react"
import { Link, useSearchParams } from "wouter"
import { resetPassword } from "../../api/account"
import { Field } from "../../ui/Field"
import { Form } from "../../ui/Form"
import { Notice } from "../../ui/Notice"
import { Page } from "../../ui/Page"
import { words } from "../../words/words"

/** Where the mail about a forgotten password leads. */
export function ResetPage() {
  const [search] = useSearchParams()
  const [done, setDone] = useState(false)
  const token = search.get("token")
  const said = words.account.reset
  if (done) {
    return (
      <Page key="done" title={said.done} narrow follows>
        <p>{said.doneText}</p>
        <Link href="/login">{words.account.toSignIn}</Link>
      </Page>
    )
  }
  return (
    <Page title={said.title} narrow>
      {token ? (
        <Form
          submit={said.submit}
          act={async ({ password = "" }) => {
            await resetPassword(token, password)
            setDone(true)
          }}
        >
          {problem => (
            <Field
              label={words.account.newPassword}
              name="password"
              type="password"
              autoComplete="new-password"
              required
              problem={problem("password")}
            />
          )}
        </Form>
      ) : (
        <Notice trouble>{words.account.incomplete}</Notice>
      )}
      <p>
        <Link href="/forgot">{said.again}</Link>
      </p>
    </Page>
  )
}
