import { type ReactNode, useEffect, useRef } from "react"
import { words } from "../words/words"
import styles from "./Page.module.css"

interface Props {
  /** The heading, and the title of the window. */
  readonly title: string
  readonly narrow?: boolean
  /** Whether this takes the place of what was there under the same address: it is read out from its heading on. */
  readonly follows?: boolean
  /** Whether the heading is for screen readers alone, since the page shows what it is. */
  readonly untitled?: boolean
  readonly children: ReactNode
}

/** The content of one address, under its heading. */
export function Page({ title, narrow = false, follows = false, untitled = false, children }: Props) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · ${words.app.name}`
  }, [title])
  useEffect(() => {
    if (follows) heading.current?.focus()
  }, [follows])
  return (
    <div className={`${styles["page"]} ${narrow ? styles["narrow"] : ""}`}>
      <h1 ref={heading} tabIndex={-1} className={untitled ? styles["untitled"] : undefined}>
        {title}
      </h1>
      {children}
    </div>
  )
}
