import { useState } from "react"
import { Link } from "wouter"
import { forgotPassword } from "../../api/account"
import { Field } from "../../ui/Field"
import { Form } from "../../ui/Form"
import { Page } from "../../ui/Page"
import { words } from "../../words/words"

/** Has a link mailed to choose a new password. */
export function ForgotPage() {
  const [sentTo, setSentTo] = useState<string | null>(null)
  const said = words.account.forgot
  if (sentTo !== null) {
    return (
      <Page key="sent" title={said.sent} narrow follows>
        <p>{said.sentText(sentTo)}</p>
        <Link href="/login">{words.account.toSignIn}</Link>
      </Page>
    )
  }
  return (
    <Page title={said.title} narrow>
      <p>{said.text}</p>
      <Form
        submit={said.submit}
        act={async ({ email = "" }) => {
          await forgotPassword(email)
          setSentTo(email)
        }}
      >
        {problem => (
          <Field
            label={words.login.email}
            name="email"
            type="email"
            autoComplete="username"
            required
            problem={problem("email")}
          />
        )}
      </Form>
    </Page>
  )
}
