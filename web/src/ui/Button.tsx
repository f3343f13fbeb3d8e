import type { ComponentProps } from "react"
import styles from "./Button.module.css"

export type Look = "plain" | "primary" | "quiet"

/** The classes of a button, for links that look like one. */
export function buttonClass(look: Look = "plain"): string {
  return [styles["button"], look === "plain" ? "" : styles[look]].join(" ").trim()
}

/** A button; `primary` for the one that does what the page is for. */
export function Button({ look = "plain", type = "button", ...rest }: ComponentProps<"button"> & { look?: Look }) {
  return <button {...rest} type={type} className={buttonClass(look)} />
}
