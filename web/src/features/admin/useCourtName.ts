import { useQuery } from "@tanstack/react-query"
import { type Club, courtsQuery } from "../../api/catalogue"

/** How a court is called; empty while that is not known, and for one that is retired. */
export function useCourtName(club: Club): (id: number) => string {
  const { data: courts } = useQuery(courtsQuery(club.slug, club.config_version))
  return id => courts?.find(court => court.id === id)?.name ?? ""
}
