import { useState } from "react"
import { Link, useLocation } from "wouter"
import { changePassword, signOut, type User } from "../../api/session"
import { useSession } from "../../api/useSession"
import { Button } from "../../ui/Button"
import { Form } from "../../ui/Form"
import { Notice, Trouble } from "../../ui/Notice"
import { Page } from "../../ui/Page"
import { words } from "../../words/words"
import { CalendarFeed } from "./CalendarFeed"
import { PasswordField } from "./fields"
import { Reminders } from "./Reminders"
import { SecondFactor } from "./SecondFactor"

const said = words.account.own

/** One's own account: signing out, password, reminders, calendar and second factor. */
export function AccountPage() {
  const session = useSession()
  return (
    <Page title={said.title} narrow>
      {session ? (
        <Own user={session.user} />
      ) : (
        <p>
          {said.strangers} <Link href="/login?next=/account">{words.app.signIn}</Link>
        </p>
      )}
    </Page>
  )
}

function Own({ user }: { user: User }) {
  const [, navigate] = useLocation()
  const [error, setError] = useState<unknown>(null)
  const leave = (everywhere: boolean) => {
    setError(null)
    signOut({ everywhere }).then(() => navigate("/"), setError)
  }
  return (
    <>
      <p>{said.signedInAs(user.name ? `${user.name} (${user.email})` : user.email)}</p>
      {error !== null && <Trouble error={error} />}
      <p>
        <Button onClick={() => leave(false)}>{said.signOut}</Button>
      </p>
      <p>{said.everywhereText}</p>
      <p>
        <Button onClick={() => leave(true)}>{said.everywhere}</Button>
      </p>
      <h2>{said.password}</h2>
      <Password />
      <h2>{words.account.reminders.title}</h2>
      <Reminders />
      <h2>{words.account.feed.title}</h2>
      <CalendarFeed />
      <h2>{words.account.factor.title}</h2>
      <SecondFactor />
    </>
  )
}

/** The form begins anew after each change, so that no password stays in it. */
function Password() {
  const [changes, setChanges] = useState(0)
  return (
    <>
      {changes > 0 && <Notice>{said.changed}</Notice>}
      <Form
        key={changes}
        submit={said.changePassword}
        act={async ({ old_password = "", new_password = "" }) => {
          await changePassword(old_password, new_password)
          setChanges(changes + 1)
        }}
      >
        {problem => (
          <>
            <PasswordField problem={problem} kind="current" label={said.oldPassword} name="old_password" />
            <PasswordField problem={problem} kind="new" label={words.account.newPassword} name="new_password" />
          </>
        )}
      </Form>
    </>
  )
}
