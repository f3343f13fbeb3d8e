import { useState } from "react"
import { useSearchParams } from "wouter"
import { forgotPassword } from "../../api/account"
import { Form } from "../../ui/Form"
import { Page } from "../../ui/Page"
import { words } from "../../words/words"
import { Afterwards, EmailField } from "./fields"
import { keepNext } from "./next"

/** Has a link mailed to choose a new password. */
export function ForgotPage() {
  const [sentTo, setSentTo] = useState<string | null>(null)
  const [search] = useSearchParams()
  const next = search.get("next")
  const said = words.account.forgot
  if (sentTo !== null)
    return (
      <Afterwards title={said.sent} next={next}>
        {said.sentText(sentTo)}
      </Afterwards>
    )
  return (
    <Page title={said.title} narrow>
      <p>{said.text}</p>
      <Form
        submit={said.submit}
        act={async ({ email = "" }) => {
          await forgotPassword(email)
          keepNext(next)
          setSentTo(email)
        }}
      >
        {problem => <EmailField problem={problem} />}
      </Form>
    </Page>
  )
}
