import type { Club } from "../../api/catalogue"
import { words } from "../../words/words"

interface Props {
  readonly policy: Club["policy"]
  /** When it begins. */
  readonly from: number
  readonly now: number
}

/** Until when it can be cancelled free of charge; of what begins sooner than that, what cancelling means. */
export function Deadline({ policy, from, now }: Props) {
  const { cancel_deadline, late_cancel_fee_percent } = policy
  const late = now > from - cancel_deadline * 60_000
  return <p>{late ? words.booking.cancelLate(late_cancel_fee_percent) : words.booking.cancelUntil(cancel_deadline)}</p>
}
