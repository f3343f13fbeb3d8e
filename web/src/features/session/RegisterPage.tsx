import { useState } from "react"
import { Link, useSearchParams } from "wouter"
import { register } from "../../api/account"
import { Field } from "../../ui/Field"
import { Form } from "../../ui/Form"
import { Page } from "../../ui/Page"
import { words } from "../../words/words"
import { Afterwards, EmailField, PasswordField } from "./fields"
import { keepNext, withNext } from "./next"

/** Makes an account. What follows stands in a mail, which only the owner of the address reads. */
export function RegisterPage() {
  const [sentTo, setSentTo] = useState<string | null>(null)
  const [search] = useSearchParams()
  const next = search.get("next")
  const said = words.account.register
  if (sentTo !== null)
    return (
      <Afterwards title={said.sent} next={next}>
        {said.sentText(sentTo)}
      </Afterwards>
    )
  return (
    <Page title={said.title} narrow>
      <Form
        submit={said.submit}
        act={async ({ email = "", password = "", name = "" }) => {
          await register(email, password, name)
          keepNext(next)
          setSentTo(email)
        }}
      >
        {problem => (
          <>
            <Field label={words.account.name} name="name" autoComplete="name" problem={problem("name")} />
            <EmailField problem={problem} />
            <PasswordField problem={problem} kind="new" />
          </>
        )}
      </Form>
      <p>
        <Link href={withNext("/login", next)}>{said.known}</Link>
      </p>
    </Page>
  )
}
