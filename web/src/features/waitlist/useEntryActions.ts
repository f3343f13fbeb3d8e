/** Claiming and leaving: what is done with an entry by a press. */

import { useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import type { Booking } from "../../api/bookings"
import { claimOffer, type Entry, leaveWaitlist } from "../../api/waitlist"

/** Entries that were ended by a press on this page: what has become of them is known here. */
const pressed = new Set<string>()

export function wasEndedHere(entry: Entry): boolean {
  return pressed.has(entry.id)
}

export function useEntryActions() {
  const queries = useQueryClient()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const attempt = async <T>(entry: Entry, act: () => Promise<T>): Promise<T | null> => {
    setBusy(true)
    setError(null)
    pressed.add(entry.id)
    try {
      return await act()
    } catch (problem) {
      pressed.delete(entry.id)
      setError(problem)
      return null
    } finally {
      setBusy(false)
      void queries.invalidateQueries({ queryKey: ["waitlist"] })
      void queries.invalidateQueries({ queryKey: ["bookings"] })
    }
  }
  return {
    busy,
    error,
    claim: (entry: Entry): Promise<Booking | null> => attempt(entry, () => claimOffer(entry)),
    /** Whether it was done. */
    leave: async (entry: Entry) => (await attempt(entry, () => leaveWaitlist(entry.id).then(() => true))) === true,
  }
}
