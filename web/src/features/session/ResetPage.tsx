import { useState } from "react"
import { Link, useSearchParams } from "wouter"
import { resetPassword } from "../../api/account"
import { Form } from "../../ui/Form"
import { Notice } from "../../ui/Notice"
import { Page } from "../../ui/Page"
import { words } from "../../words/words"
import { Afterwards, PasswordField } from "./fields"

/** Where the mail about a forgotten password leads. */
export function ResetPage() {
  const [search] = useSearchParams()
  const [done, setDone] = useState(false)
  const token = search.get("token")
  const said = words.account.reset
  if (done) return <Afterwards title={said.done}>{said.doneText}</Afterwards>
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
          {problem => <PasswordField problem={problem} kind="new" label={words.account.newPassword} />}
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
