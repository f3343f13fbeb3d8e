import { Button } from "../../ui/Button"
import { useRested } from "../../ui/useRested"
import { words } from "../../words/words"
import styles from "./Drawer.module.css"
import { codeOf } from "./refusals"

/** Of a price that could not be asked: what may be otherwise a moment later. */
const AGAIN: readonly string[] = ["unreachable", "unreadable", "unavailable", "rate_limited"]

interface Props {
  readonly name: string
  readonly price: string | null
  readonly busy: boolean
  /** Why the price is not known, if it could not be asked. */
  readonly failed: unknown
  readonly onAgain: () => void
  /** Null while the price is not known. */
  readonly onSubmit: (() => void) | null
}

/** The one button that books, and says what it costs. */
export function Submit({ name, price, busy, failed, onAgain, onSubmit }: Props) {
  const rested = useRested()
  const again = AGAIN.includes(codeOf(failed) ?? "")
  const said = busy ? words.booking.submitting : words.booking.submit(name, price ?? "…")
  return (
    <p className={styles["actions"]}>
      {again ? (
        <Button onClick={onAgain}>{words.booking.again}</Button>
      ) : (
        <Button look="primary" disabled={busy || !rested || !onSubmit} onClick={onSubmit ?? undefined}>
          {said}
        </Button>
      )}
    </p>
  )
}
