import { useQuery } from "@tanstack/react-query"
import { useSearchParams } from "wouter"
import { type Club, clubsQuery } from "./catalogue"

/** The club that the address names, or else the default one; undefined until it is known, null if there is none. */
export function useClub(): { club: Club | null | undefined; error: unknown } {
  const [search] = useSearchParams()
  const slug = search.get("club")
  const { data, error } = useQuery(clubsQuery)
  const club = data && (data.find(candidate => candidate.slug === slug) ?? data[0] ?? null)
  return { club, error }
}
