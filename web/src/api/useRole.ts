import { useQuery } from "@tanstack/react-query"
import { meQuery } from "./account"
import type { Club } from "./catalogue"
import { useSession } from "./useSession"

export type Role = "player" | "staff" | "admin"

/**
 * What whoever is signed in may do in the club, to show what is of use; the server decides by itself. Undefined until it
 * is known. Who is suspended has no say as staff.
 */
export function useRole(club: Club | null | undefined): Role | undefined {
  const session = useSession()
  const { data } = useQuery({ ...meQuery, enabled: session !== null })
  if (!session) return "player"
  if (!data || !club) return undefined
  const standing = data.memberships.find(({ club_id }) => club_id === club.id)
  return standing && !standing.suspended ? (standing.role as Role) : "player"
}

/** Whether whoever is signed in runs the club. */
export function useIsStaff(club: Club | null | undefined): boolean {
  const role = useRole(club)
  return role === "staff" || role === "admin"
}
