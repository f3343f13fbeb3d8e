import { useQuery } from "@tanstack/react-query"
import { useSearchParams } from "wouter"
import { type Club, clubsQuery } from "./catalogue"

/**
 * The club that the address names, or the default one if it names none; undefined until it is known, null if there is
 * none, or if the one that is `named` is not for whoever looks.
 */
export function useClub(): { club: Club | null | undefined; named: boolean; error: unknown } {
  const [search] = useSearchParams()
  const slug = search.get("club")
  const { data, error } = useQuery(clubsQuery)
  const club = data && ((slug === null ? data[0] : data.find(candidate => candidate.slug === slug)) ?? null)
  return { club, named: slug !== null, error }
}
