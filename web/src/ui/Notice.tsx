import type { ReactNode } from "react"
import { Problem } from "../api/problem"
import { words } from "../words/words"
import styles from "./Notice.module.css"

/** Something to know; it is read out when it appears. */
export function Notice({ trouble = false, children }: { trouble?: boolean; children: ReactNode }) {
  return (
    <div role={trouble ? "alert" : "status"} className={`${styles["notice"]} ${trouble ? styles["trouble"] : ""}`}>
      {children}
    </div>
  )
}

interface TroubleProps {
  readonly error: unknown
  /** Sentences by code for where it is said. */
  readonly told?: Readonly<Record<string, string>> | undefined
}

/** What went wrong, in the server's words or ours. */
export function Trouble({ error, told }: TroubleProps) {
  return <Notice trouble>{sentenceOf(error, told)}</Notice>
}

/** A sentence for whoever reads it. `told` has sentences by code for where it is said; they go before the usual ones. */
export function sentenceOf(error: unknown, told: Readonly<Record<string, string>> = {}): string {
  if (!(error instanceof Problem)) return words.refusals.unreadable
  // What is to be mended is said by itself where its field is not there to say it.
  return error.code === "invalid_request" && error.errors.length > 0
    ? error.errors.map(({ detail }) => detail).join(" ")
    : (told[error.code] ?? words.refusals[error.code] ?? error.message)
}
