/** What the forms about an account have in common: its two fields, and what comes after. */

import type { ReactNode } from "react"
import { Link } from "wouter"
import { Field } from "../../ui/Field"
import type { ProblemOf } from "../../ui/Form"
import { Page } from "../../ui/Page"
import { words } from "../../words/words"
import { withNext } from "./next"

/** The address that one signs in with; a password manager keeps it as the name of the user. */
export function EmailField({ problem }: { problem: ProblemOf }) {
  return (
    <Field
      label={words.login.email}
      name="email"
      type="email"
      autoComplete="username"
      required
      problem={problem("email")}
    />
  )
}

interface PasswordProps {
  readonly problem: ProblemOf
  /** `new`: a password manager offers to make one. */
  readonly kind: "current" | "new"
  readonly label?: string
  readonly name?: string
}

export function PasswordField({ problem, kind, label = words.login.password, name = "password" }: PasswordProps) {
  return (
    <Field
      label={label}
      name={name}
      type="password"
      autoComplete={`${kind}-password`}
      required
      problem={problem(name)}
    />
  )
}

interface CodeProps {
  readonly problem: ProblemOf
  readonly name: string
  readonly label: string
  readonly hint?: string
}

/** The code of a second factor; phones offer the one that they have. Letters too: a recovery code has some. */
export function CodeField({ problem, name, ...told }: CodeProps) {
  return (
    <Field
      {...told}
      name={name}
      type="text"
      autoComplete="one-time-code"
      autoCapitalize="characters"
      spellCheck={false}
      required
      problem={problem(name)}
    />
  )
}

interface AfterwardsProps {
  readonly title: string
  /** Where to come back to, if it is known. */
  readonly next?: string | null
  readonly children: ReactNode
}

/** What takes the form's place when it has done its work, and the way to sign in. */
export function Afterwards({ title, next = null, children }: AfterwardsProps) {
  return (
    <Page key="afterwards" title={title} narrow follows>
      <p>{children}</p>
      <Link href={withNext("/login", next)}>{words.account.toSignIn}</Link>
    </Page>
  )
}
