/** The server's time. A device may be set wrong, and what is past is not for it to say. */

/** The header has whole seconds, and answers take a while. */
const TOLERATED = 60_000

const listeners = new Set<() => void>()
let ahead = 0

/** Learn from an answer of the API what time it is; none of them is kept by a cache without being asked again. */
export function hearTime(response: Response): void {
  const off = Date.parse(response.headers.get("Date") ?? "") - Date.now()
  const next = Math.abs(off) < TOLERATED ? 0 : off
  if (Number.isNaN(next) || Math.abs(next - ahead) < TOLERATED) return
  ahead = next
  for (const listener of listeners) listener()
}

/** In milliseconds since 1970. */
export function serverNow(): number {
  return Date.now() + ahead
}

/** Be called when the device turns out to be wrong, or right after all. */
export function onServerTime(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
