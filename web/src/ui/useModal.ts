import { type DialogHTMLAttributes, type RefObject, useId, useLayoutEffect, useRef } from "react"

interface Modal {
  /** For the `dialog` element. */
  readonly props: DialogHTMLAttributes<HTMLDialogElement> & { readonly ref: RefObject<HTMLDialogElement | null> }
  /** For the element with its title. */
  readonly titleId: string
}

/** A dialog that is open as long as it is there: it keeps the focus and gives it back. Escape asks to close it. */
export function useModal(onClose: () => void): Modal {
  const dialog = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  // Before the element goes: a dialog that is gone already cannot give the focus back.
  useLayoutEffect(() => {
    const shown = dialog.current
    shown?.showModal()
    return () => shown?.close()
  }, [])
  return {
    titleId,
    props: {
      ref: dialog,
      "aria-labelledby": titleId,
      onCancel: event => {
        event.preventDefault()
        onClose()
      },
    },
  }
}
