import { useEffect, useState } from "react"

/** The second press of a double one comes within this. */
const PRESS = 400

/**
 * Whether a button has been there long enough to be meant: the second tap of a double one lands on what the first has
 * opened, and must not book what nobody has read.
 */
export function useRested(): boolean {
  const [rested, setRested] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setRested(true), PRESS)
    return () => clearTimeout(timer)
  }, [])
  return rested
}
