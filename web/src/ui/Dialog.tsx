import { type ReactNode, useId, useLayoutEffect, useRef } from "react"
import styles from "./Dialog.module.css"

interface Props {
  readonly title: string
  /** Closed by Escape, or by whatever is inside. */
  readonly onClose: () => void
  readonly children: ReactNode
}

/** Something to settle before all else. It keeps the focus and gives it back. */
export function Dialog({ title, onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  // Before the element goes: a dialog that is gone already cannot give the focus back.
  useLayoutEffect(() => {
    const shown = dialog.current
    shown?.showModal()
    return () => shown?.close()
  }, [])
  return (
    <dialog
      ref={dialog}
      className={styles["dialog"]}
      aria-labelledby={id}
      onCancel={event => {
        event.preventDefault()
        onClose()
      }}
    >
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  )
}
