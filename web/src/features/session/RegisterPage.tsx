import { useState } from "react"
import { Link } from "wouter"
import { register } from "../../api/account"
import { Field } from "../../ui/Field"
import { Form } from "../../ui/Form"
import { Page } from "../../ui/Page"
import { words } from "../../words/words"

/** Makes an account. What follows stands in a mail, which only the owner of the address reads. */
export function RegisterPage() {
  const [sentTo, setSentTo] = useState<string | null>(null)
  const said = words.account.register
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
      <Form
        submit={said.submit}
        act={async ({ email = "", password = "", name = "" }) => {
          await register(email, password, name)
          setSentTo(email)
        }}
      >
        {problem => (
          <>
            <Field label={words.account.name} name="name" autoComplete="name" problem={problem("name")} />
            <Field
              label={words.login.email}
              name="email"
              type="email"
              autoComplete="username"
              required
              problem={problem("email")}
            />
            <Field
              label={words.login.password}
              name="password"
              type="password"
              autoComplete="new-password"
              required
              problem={problem("password")}
            />
          </>
        )}
      </Form>
      <p>
        <Link href="/login">{said.known}</Link>
      </p>
    </Page>
  )
}
