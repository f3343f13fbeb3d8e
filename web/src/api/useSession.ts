import { useSyncExternalStore } from "react"
import { hasEnded, onSession, type Session, session } from "./session"

/** Who is signed in, or null. */
export function useSession(): Session | null {
  return useSyncExternalStore(onSession, session)
}

/** Whether the server has ended the session that was there, and nobody has signed in since. */
export function useHasEnded(): boolean {
  return useSyncExternalStore(onSession, hasEnded)
}
