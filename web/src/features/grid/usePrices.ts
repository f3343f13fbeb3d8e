import { useQuery } from "@tanstack/react-query"
import { useCallback, useMemo } from "react"
import { pricesQuery } from "../../api/bookings"
import type { Club } from "../../api/catalogue"
import type { Selection } from "./view"

/**
 * What bookings of a length cost on a day, court by court and start by start, by the server: null where a court cannot
 * be booked for so long from there, undefined while that is not known.
 */
export function usePrices(club: Club, date: string, config: number, minutes: number | null) {
  const { data } = useQuery({ ...pricesQuery(club.slug, date, config, minutes ?? 0), enabled: minutes !== null })
  const totals = useMemo(
    () =>
      data &&
      new Map(
        data.flatMap(({ court_id, starts }) => starts.map(s => [keyOf(court_id, Date.parse(s.start_ts)), s.total])),
      ),
    [data],
  )
  return useCallback(
    (court: number, from: number): number | null | undefined => totals && (totals.get(keyOf(court, from)) ?? null),
    [totals],
  )
}

/** What a selection costs by the prices of its day; null while that is not known. */
export function usePrice(club: Club, date: string, config: number, selection: Selection | null): number | null {
  const prices = usePrices(club, date, config, selection && (selection.until - selection.from) / 60_000)
  return (selection && prices(selection.court, selection.from)) ?? null
}

function keyOf(court: number, from: number): string {
  return `${court} ${from}`
}
