import { type ReactNode, useId, useLayoutEffect, useRef } from "react"
import { Button } from "../../ui/Button"
import { words } from "../../words/words"
import styles from "./Drawer.module.css"

/** A sheet at the right, or at the bottom of a small window. It keeps the focus and gives it back. */
export function Sheet({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }) {
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
      className={styles["sheet"]}
      aria-labelledby={id}
      onCancel={event => {
        event.preventDefault()
        onClose()
      }}
    >
      <header className={styles["head"]}>
        <h2 id={id}>{title}</h2>
        <Button look="quiet" aria-label={words.booking.close} onClick={onClose}>
          <span aria-hidden="true">✕</span>
        </Button>
      </header>
      {children}
    </dialog>
  )
}
