import { useEffect, useState } from "react"

/** What is being typed, once it has stood for a moment: so that not every letter is a question to the server. */
export function useSettled(text: string, milliseconds = 250): string {
  const [settled, setSettled] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), milliseconds)
    return () => clearTimeout(timer)
  }, [text, milliseconds])
  return settled
}
