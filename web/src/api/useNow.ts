import { useEffect, useState } from "react"
import { onServerTime, serverNow } from "./clock"

/** The server's clock, as often as the now-line moves and what is running or over may change. */
export function useNow(): number {
  const [now, setNow] = useState(serverNow)
  useEffect(() => {
    const look = () => setNow(serverNow())
    const timer = setInterval(look, 20_000)
    const off = onServerTime(look)
    return () => {
      clearInterval(timer)
      off()
    }
  }, [])
  return now
}
