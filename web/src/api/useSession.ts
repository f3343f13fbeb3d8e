import { useSyncExternalStore } from "react"
import { onSession, type Session, session } from "./session"

/** Who is signed in, or null. */
export function useSession(): Session | null {
  return useSyncExternalStore(onSession, session)
}
