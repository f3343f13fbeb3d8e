import { useQuery } from "@tanstack/react-query"
import { useMemo, useState } from "react"
import type { Club } from "../../api/catalogue"
import { collectionQuery } from "../../api/collections"
import { MOST_PEOPLE, type Person, type PersonDraft, peopleOf } from "../../api/resources"
import { Field } from "../../ui/Field"
import { useSettled } from "../../ui/useSettled"
import { staff } from "../../words/staff"
import { type Kind, Listing } from "./Listing"
import { PersonFields } from "./PersonFields"
import { StaffPage } from "./StaffPage"
import styles from "./staff.module.css"

const says = staff.people

/** The club's members: finding somebody, their role, and a suspension. */
export function PeoplePage() {
  return <StaffPage title={says.title}>{({ club, admin }) => <People club={club} admin={admin} />}</StaffPage>
}

function People({ club, admin }: { club: Club; admin: boolean }) {
  const [search, setSearch] = useState("")
  const settled = useSettled(search.trim())
  const kind = useMemo(() => kindOf(settled, admin), [settled, admin])
  const { data } = useQuery(collectionQuery(club.slug, kind.collection))
  return (
    <>
      <div className={styles["bar"]}>
        <Field
          label={says.search}
          type="search"
          autoComplete="off"
          value={search}
          onChange={event => setSearch(event.target.value)}
        />
      </div>
      <Listing club={club} title={says.title} kind={kind} />
      {data?.length === MOST_PEOPLE && <p>{says.first(MOST_PEOPLE)}</p>}
    </>
  )
}

function kindOf(search: string, admin: boolean): Kind<Person, PersonDraft> {
  return {
    collection: peopleOf(search),
    columns: [
      { head: says.name, of: nameOf },
      { head: says.email, of: ({ email, name }) => name && email },
      { head: says.role, of: person => <Standing person={person} /> },
      { head: says.tier, of: ({ tier }) => tier },
    ],
    nameOf,
    // Staff and administrators are made and changed by administrators.
    mayChange: ({ role }) => admin || role === "player",
    empty: { email: "", name: "", role: "player", tier: null, suspended: false },
    draftOf: ({ email, name, role, tier, suspended }) => ({ email, name, role, tier, suspended }),
    Fields: given => <PersonFields {...given} admin={admin} />,
    says,
  }
}

const nameOf = ({ name, email }: Person) => name || email

function Standing({ person }: { person: Person }) {
  const marks = [
    person.suspended && says.suspended,
    person.account_suspended && says.shutOut,
    !person.verified && says.unconfirmed,
  ].filter(mark => mark !== false)
  return (
    <>
      {says.roles[person.role]}{" "}
      {marks.map(mark => (
        <span key={mark} className={styles["tag"]}>
          {mark}
        </span>
      ))}
    </>
  )
}
