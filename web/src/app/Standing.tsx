import { useQuery } from "@tanstack/react-query"
import { useState } from "react"
import { Link, useLocation } from "wouter"
import { meQuery, resendConfirmation } from "../api/account"
import { useHasEnded, useSession } from "../api/useSession"
import { useSignIn } from "../features/session/next"
import { Button } from "../ui/Button"
import { Notice, Trouble } from "../ui/Notice"
import { words } from "../words/words"
import styles from "./Shell.module.css"

/** What whoever looks should know of the own session: that it was ended, or that the address is not confirmed. */
export function Standing() {
  const session = useSession()
  const ended = useHasEnded()
  const [path] = useLocation()
  const signIn = useSignIn()
  const { data } = useQuery({ ...meQuery, enabled: session !== null })
  if (ended && path !== "/login") {
    return (
      <div className={styles["standing"]}>
        <Notice>
          {words.app.ended} <Link href={signIn}>{words.app.signIn}</Link>
        </Notice>
      </div>
    )
  }
  if (!session || !data || data.verified || path === "/verify") return null
  return (
    <div className={styles["standing"]}>
      <Unconfirmed email={data.email} />
    </div>
  )
}

function Unconfirmed({ email }: { email: string }) {
  const [asked, setAsked] = useState<"not" | "busy" | "sent">("not")
  const [error, setError] = useState<unknown>(null)
  const ask = async () => {
    setAsked("busy")
    setError(null)
    try {
      await resendConfirmation()
      setAsked("sent")
    } catch (problem) {
      setError(problem)
      setAsked("not")
    }
  }
  if (error !== null) return <Trouble error={error} />
  if (asked === "sent") return <Notice>{words.account.unconfirmed.sent}</Notice>
  return (
    <Notice>
      {words.account.unconfirmed.text(email)}{" "}
      <Button disabled={asked === "busy"} onClick={() => void ask()}>
        {words.account.unconfirmed.again}
      </Button>
    </Notice>
  )
}
