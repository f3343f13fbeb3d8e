import { type ComponentProps, useId } from "react"
import styles from "./Field.module.css"

interface Props extends ComponentProps<"select"> {
  readonly label: string
  readonly hint?: string | undefined
  /** What has to be mended, if anything. */
  readonly problem?: string | undefined
}

/** A choice with its label, a hint, and what has to be mended. */
export function Select({ label, hint, problem, ...select }: Props) {
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
      <select
        {...select}
        id={id}
        className={styles["input"]}
        aria-invalid={problem ? true : undefined}
        aria-describedby={about || undefined}
      />
      {problem && (
        <p id={`${id}-problem`} className={styles["problem"]}>
          {problem}
        </p>
      )}
    </div>
  )
}
