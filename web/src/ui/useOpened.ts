import { useSearchParams } from "wouter"

/** What marks a step of the history that was taken to open something. */
const OPENED = { opened: true }

/**
 * Opening something that the address names, and closing it: Back closes it, and a press that closes it goes back, so
 * that Back never opens again what was closed. Whoever came by a link stays where the link led.
 */
export function useOpened() {
  const [, setSearch] = useSearchParams()
  type Write = (search: URLSearchParams) => URLSearchParams
  return {
    open: (write: Write) => setSearch(write, { state: OPENED }),
    /** Change what is open. */
    change: (write: Write) => setSearch(write, { replace: true, state: history.state }),
    close: (write: Write) => (isOpened() ? history.back() : setSearch(write, { replace: true })),
  }
}

function isOpened(): boolean {
  return (history.state as Partial<typeof OPENED> | null)?.opened === true
}
