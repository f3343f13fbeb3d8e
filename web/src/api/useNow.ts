import { useEffect, useState } from "react"
import { onServerTime, serverNow } from "./clock"

const EVERY = 10_000

/**
 * The server's clock, as often as the now-line moves. It is looked at when a step of it begins and not some seconds
 * later, so that what starts on the minute is over or running on the minute; and when the page is looked at again.
 */
export function useNow(): number {
  const [now, setNow] = useState(serverNow)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>
    const look = () => {
      clearTimeout(timer)
      const time = serverNow()
      setNow(time)
      timer = setTimeout(look, EVERY - (time % EVERY))
    }
    look()
    const off = onServerTime(look)
    document.addEventListener("visibilitychange", look)
    return () => {
      clearTimeout(timer)
      off()
      document.removeEventListener("visibilitychange", look)
    }
  }, [])
  return now
}
