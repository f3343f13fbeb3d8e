import type { ReactNode } from "react"
import styles from "./Dialog.module.css"
import { useModal } from "./useModal"

interface Props {
  readonly title: string
  /** Closed by Escape, or by whatever is inside. */
  readonly onClose: () => void
  readonly children: ReactNode
}

/** Something to settle before all else. It keeps the focus and gives it back. */
export function Dialog({ title, onClose, children }: Props) {
  const modal = useModal(onClose)
  return (
    <dialog className={styles["dialog"]} {...modal.props}>
      <h2 id={modal.titleId}>{title}</h2>
      {children}
    </dialog>
  )
}
