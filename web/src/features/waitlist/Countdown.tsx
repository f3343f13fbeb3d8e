import { useEffect, useState } from "react"
import { words } from "../../words/words"

/** The server ends an offer a moment after its time. */
const AGAIN = 5000

interface Props {
  /** RFC 3339. */
  readonly until: string
  /** By how many milliseconds the server's clock is ahead of the device's. */
  readonly ahead: number
  /** The time is up; called again until this is gone. */
  readonly onOver: () => void
}

/** What is left of a time, by the server's clock. It is not read out each second. */
export function Countdown({ until, ahead, onOver }: Props) {
  const [now, setNow] = useState(Date.now)
  const left = Math.ceil((Date.parse(until) - now - ahead) / 1000)
  const over = left <= 0
  useEffect(() => {
    if (over) onOver()
    const timer = over ? setInterval(onOver, AGAIN) : setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [over, onOver])
  return (
    <span role="timer" aria-live="off">
      {over ? words.waitlist.over : words.waitlist.remaining(clockOf(left))}
    </span>
  )
}

/** "29:41", "1:04:09" */
function clockOf(seconds: number): string {
  const two = (part: number) => String(part).padStart(2, "0")
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  return `${hours > 0 ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)}`
}
