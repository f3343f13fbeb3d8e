import { useEffect, useState } from "react"

const WIDE = "(min-width: 900px)"

/** Whether the window is as wide as a desk's. */
export function useWide(): boolean {
  const [wide, setWide] = useState(() => matchMedia(WIDE).matches)
  useEffect(() => {
    const query = matchMedia(WIDE)
    const look = () => setWide(query.matches)
    query.addEventListener("change", look)
    return () => query.removeEventListener("change", look)
  }, [])
  return wide
}
