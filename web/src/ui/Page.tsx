import { type ReactNode, useEffect } from "react"
import { words } from "../words/words"
import styles from "./Page.module.css"

interface Props {
  /** The heading, and the title of the window. */
  readonly title: string
  readonly narrow?: boolean
  readonly children: ReactNode
}

/** The content of one address, under its heading. */
export function Page({ title, narrow = false, children }: Props) {
  useEffect(() => {
    document.title = `${title} · ${words.app.name}`
  }, [title])
  return (
    <div className={`${styles["page"]} ${narrow ? styles["narrow"] : ""}`}>
      <h1 tabIndex={-1}>{title}</h1>
      {children}
    </div>
  )
}
