import type { ReactNode } from "react"
import { Button } from "../../ui/Button"
import { useModal } from "../../ui/useModal"
import { words } from "../../words/words"
import styles from "./Drawer.module.css"

/** A sheet at the right, or at the bottom of a small window. It keeps the focus and gives it back. */
export function Sheet({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }) {
  const modal = useModal(onClose)
  return (
    <dialog className={styles["sheet"]} {...modal.props}>
      <header className={styles["head"]}>
        <h2 id={modal.titleId}>{title}</h2>
        <Button look="quiet" aria-label={words.booking.close} onClick={onClose}>
          <span aria-hidden="true">✕</span>
        </Button>
      </header>
      {children}
    </dialog>
  )
}
