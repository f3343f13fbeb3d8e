import { Link, useLocation, useSearchParams } from "wouter"
import { signIn } from "../../api/session"
import { Form } from "../../ui/Form"
import { Page } from "../../ui/Page"
import { words } from "../../words/words"
import { EmailField, PasswordField } from "./fields"

/** Signs in and leads back to where one came from. */
export function LoginPage() {
  const [, navigate] = useLocation()
  const [search] = useSearchParams()
  return (
    <Page title={words.login.title} narrow>
      <Form
        submit={words.login.submit}
        act={async ({ email = "", password = "" }) => {
          await signIn(email, password)
          navigate(localPath(search.get("next")), { replace: true })
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
