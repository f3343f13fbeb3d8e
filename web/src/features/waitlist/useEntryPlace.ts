/** Where and when an entry is, in words. */

import { useQueries, useQuery } from "@tanstack/react-query"
import { clubsQuery, courtsQuery } from "../../api/catalogue"
import type { Entry } from "../../api/waitlist"
import { formatMoney, formatSpan } from "../../words/format"
import { words } from "../../words/words"

export interface EntryWords {
  /** "Court 3, Tue 1 Dec, 19:00–20:30"; of what is offered the court that is. */
  readonly what: string
  readonly court: string
  readonly span: string
  readonly zone: string
  money(minor: number): string
}

/** How entries are spoken of. Where a court's name is not known yet it is "Court". */
export function useEntryWords(entries: readonly Entry[]): (entry: Entry) => EntryWords {
  const clubs = useQuery(clubsQuery).data ?? []
  const concerned = clubs.filter(club => entries.some(entry => entry.club === club.slug))
  const found = useQueries({ queries: concerned.map(club => courtsQuery(club.slug, club.config_version)) })
  const names = new Map(found.flatMap(({ data }) => data ?? []).map(court => [court.id, court.name]))
  return entry => {
    const club = clubs.find(({ slug }) => slug === entry.club)
    const zone = club?.zone ?? "UTC"
    const id = entry.offer?.court_id ?? entry.court_id
    const court = id === null ? words.waitlist.anyOf(entry.kind ?? "") : (names.get(id) ?? words.bookings.someCourt)
    const span = formatSpan(entry.start_ts, entry.end_ts, zone)
    return {
      what: `${court}, ${span}`,
      court,
      span,
      zone,
      money: minor => (club ? formatMoney(minor, club.currency) : ""),
    }
  }
}
