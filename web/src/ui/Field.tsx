import { type ComponentProps, type ReactNode, useId } from "react"
import styles from "./Field.module.css"

interface Props extends ComponentProps<"input"> {
  readonly label: string
  readonly hint?: string
  /** What has to be mended, if anything. */
  readonly problem?: string | undefined
  /** What stands beside the input, as its unit. */
  readonly beside?: ReactNode
}

/** An input with its label, a hint, and what has to be mended. */
export function Field({ label, hint, problem, beside, ...input }: Props) {
  const id = useId()
  const about = [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(" ")
  return (
    <div className={styles["field"]}>
      <label htmlFor={id}>{label}</label>
      {hint && (
        <span id={`${id}-hint`} className={styles["hint"]}>
          {hint}
        </span>
      )}
      <div className={styles["line"]}>
        <input
          {...input}
          id={id}
          className={styles["input"]}
          aria-invalid={problem ? true : undefined}
          aria-describedby={about || undefined}
        />
        {beside}
      </div>
      {problem && (
        <p id={`${id}-problem`} className={styles["problem"]}>
          {problem}
        </p>
      )}
    </div>
  )
}
