/** Sending a booking: the cell is there at once, and settles with the server's word. */

import { useQueryClient } from "@tanstack/react-query"
import { useEffect, useRef, useState } from "react"
import { type Booking, book, mineQuery, type Wanted } from "../../api/bookings"
import { newKey } from "../../api/key"
import { Problem } from "../../api/problem"
import type { Topic } from "../../live/protocol"
import type { Selection } from "../grid/view"

export function useBooking(topic: Topic, onPending: (selection: Selection | null) => void) {
  const queries = useQueryClient()
  const [booked, setBooked] = useState<Booking | null>(null)
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  // Once the drawer is gone the grid alone says what is there: what was hoped for must not outlive a cancellation.
  useEffect(() => () => onPending(null), [onPending])
  const sent = useRef<{ what: string; key: string } | null>(null)

  /** A wish that is sent again because nobody knows how it went keeps its key, so that it books once. */
  const keyOf = (what: string) => {
    if (sent.current?.what !== what) sent.current = { what, key: newKey() }
    return sent.current.key
  }
  const submit = async (wanted: Wanted, total: number) => {
    setBusy(true)
    setError(null)
    onPending({ court: wanted.court_id, from: Date.parse(wanted.start_ts), until: Date.parse(wanted.end_ts) })
    try {
      const booking = await book(wanted, total, keyOf(JSON.stringify([wanted, total])))
      if (wanted.user_email === null) {
        const mine = mineQuery(topic.club, topic.date)
        queries.setQueryData(mine.queryKey, (known: Booking[] | undefined) => [...(known ?? []), booking])
      }
      void queries.invalidateQueries({ queryKey: ["bookings"] })
      setBooked(booking)
    } catch (problem) {
      onPending(null)
      if (problem instanceof Problem && problem.status >= 400 && problem.status < 500) sent.current = null
      setError(problem)
    } finally {
      setBusy(false)
    }
  }
  return { booked, error, busy, submit, forget: () => setError(null) }
}
