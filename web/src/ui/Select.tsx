import { type ComponentProps, useId } from "react"
import styles from "./Field.module.css"

/** A choice with its label. */
export function Select({ label, ...select }: ComponentProps<"select"> & { readonly label: string }) {
  const id = useId()
  return (
    <div className={styles["field"]}>
      <label htmlFor={id}>{label}</label>
      <select {...select} id={id} className={styles["input"]} />
    </div>
  )
}
