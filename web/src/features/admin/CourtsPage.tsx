import { useQuery } from "@tanstack/react-query"
import { useMemo } from "react"
import type { Club } from "../../api/catalogue"
import { collectionQuery } from "../../api/collections"
import { type AdminCourt, adminCourts, type CourtDraft } from "../../api/resources"
import { formatMoney } from "../../words/format"
import { staff } from "../../words/staff"
import { CourtFields } from "./CourtFields"
import { type Kind, Listing } from "./Listing"
import { StaffPage } from "./StaffPage"

const says = staff.courts

/** The courts of the club, as the grid has them. */
export function CourtsPage() {
  return <StaffPage title={says.title}>{({ club }) => <Courts club={club} />}</StaffPage>
}

function Courts({ club }: { club: Club }) {
  const { data: courts } = useQuery(collectionQuery(club.slug, adminCourts))
  // The same form as long as the courts are: a new one would lose what is being typed.
  const kind = useMemo(() => kindOf(club, courts ?? []), [club, courts])
  return <Listing club={club} title={says.title} kind={kind} />
}

function kindOf(club: Club, courts: readonly AdminCourt[]): Kind<AdminCourt, CourtDraft> {
  return {
    collection: adminCourts,
    columns: [
      { head: says.name, of: ({ name }) => name },
      { head: says.kind, of: ({ kind }) => kind },
      { head: says.where, of: ({ indoor, surface }) => [placeOf(indoor), surface].filter(Boolean).join(", ") },
      { head: says.rate, figures: true, of: ({ base_rate }) => formatMoney(base_rate, club.currency) },
      { head: says.lengths, of: court => lengthsOf(court, courts) },
    ],
    nameOf: ({ name }) => name,
    // A new one goes to the end of the grid.
    empty: {
      name: "",
      kind: "",
      indoor: true,
      surface: "",
      base_rate: 0,
      min_duration: null,
      max_duration: null,
      start_alignment: null,
      position: (courts.at(-1)?.position ?? 0) + 1,
      units: [],
    },
    draftOf: ({ id: _id, club_id: _club, version: _version, ...draft }) => draft,
    Fields: given => <CourtFields {...given} courts={courts} />,
    says,
  }
}

const placeOf = (indoor: boolean) => says.places[indoor ? "indoor" : "outdoor"]

/** What is special about its bookings: its lengths, where they are its own, and what it is made of. */
function lengthsOf({ min_duration, max_duration, start_alignment, units }: AdminCourt, courts: readonly AdminCourt[]) {
  const names = courts.filter(({ id }) => units.includes(id)).map(({ name }) => name)
  const own = [
    min_duration && says.atLeast(min_duration),
    max_duration && says.atMost(max_duration),
    start_alignment && says.every(start_alignment),
  ].filter(Boolean)
  return [own.join(", ") || says.usual, names.length > 0 && says.madeOf(names.join(", "))].filter(Boolean).join("; ")
}
