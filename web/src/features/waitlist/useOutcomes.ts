import { useQueryClient } from "@tanstack/react-query"
import { useEffect, useRef } from "react"
import { type Entry, fetchOutcome } from "../../api/waitlist"
import { words } from "../../words/words"
import { wasEndedHere } from "./useEntryActions"
import { useEntryWords } from "./useEntryPlace"
import { useWaiting } from "./useWaiting"

/** Says what has become of an entry that is gone and was not ended by a press here. */
export function useOutcomes(say: (said: string) => void): void {
  const queries = useQueryClient()
  const { entries, known } = useWaiting()
  const before = useRef<readonly Entry[] | null>(null)
  const wordsOf = useEntryWords(before.current ?? entries)
  useEffect(() => {
    if (!known) return
    const gone = (before.current ?? []).filter(entry => entries.every(({ id }) => id !== entry.id))
    before.current = entries
    // Word of a booking may have been lost where that of the waitlist was not.
    if (gone.length > 0) void queries.invalidateQueries({ queryKey: ["bookings"] })
    for (const entry of gone.filter(entry => !wasEndedHere(entry))) {
      fetchOutcome(entry).then(
        booking => {
          const place = booking ? { ...entry, court_id: booking.court_id, offer: null } : entry
          if (booking) say(words.waitlist.promoted(wordsOf(place).what))
          else if (entry.offer) say(words.waitlist.missed(wordsOf(place).what))
        },
        () => undefined, // the lists say it too
      )
    }
  }, [entries, known, queries, say, wordsOf])
}
