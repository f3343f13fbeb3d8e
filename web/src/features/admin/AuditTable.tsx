import { useQuery } from "@tanstack/react-query"
import type { AuditEvent, Trail } from "../../api/audit"
import { type Club, coachesQuery } from "../../api/catalogue"
import type { Named } from "../../api/desk"
import { Button } from "../../ui/Button"
import { type Column, Table } from "../../ui/Table"
import { formatMoney } from "../../words/format"
import { staff } from "../../words/staff"
import { detailsOf, type Names, nameOf, thingsOf, titleOf, whenOf } from "./audit"
import { useExtras } from "./DeskTable"
import styles from "./staff.module.css"
import { useCourtName } from "./useCourtName"

const says = staff.audit

interface Props {
  readonly club: Club
  readonly events: readonly AuditEvent[]
  readonly people: ReadonlyMap<number, Named>
  readonly trail: Trail
  readonly onLook: (changes: Partial<Trail>) => void
}

/** What happened, a line each: when, what, and by whom. Names and things lead to all that has to do with them. */
export function AuditTable({ club, events, people, trail, onLook }: Props) {
  const extras = useExtras(club)
  const courtOf = useCourtName(club)
  const { data: coaches } = useQuery(coachesQuery(club.slug, club.config_version))
  const names: Names = {
    zone: club.zone,
    court: id => courtOf(id) || says.numbered.court(id),
    coach: id => coaches?.find(coach => coach.id === id)?.name ?? says.numbered.coach(id),
    person: id => nameOf(people.get(id), id),
    money: minor => formatMoney(minor, club.currency),
    extras,
  }
  const columns: Column<AuditEvent>[] = [
    { head: says.when, of: event => whenOf(event, club.zone) },
    {
      head: says.what,
      of: event => (
        <>
          {titleOf(event)} <small className={styles["quiet"]}>{detailsOf(event, names).join(" · ")}</small>
        </>
      ),
    },
    {
      head: says.who,
      of: ({ actor_id }) => {
        if (actor_id === null) return says.system
        const name = names.person(actor_id)
        if (actor_id === trail.person) return name
        return (
          <button
            type="button"
            className={styles["link"]}
            title={says.onlyThem(name)}
            onClick={() => onLook({ person: actor_id })}
          >
            {name}
          </button>
        )
      },
    },
  ]
  return (
    <Table
      caption={says.list}
      columns={columns}
      rows={events}
      keyOf={({ id }) => id}
      actions={event => {
        const when = `${titleOf(event)}, ${whenOf(event, club.zone)}`
        return (
          <>
            {thingsOf(event)
              .filter(({ id }) => id !== trail.about)
              .map(({ kind, id }) => (
                <Button
                  key={kind}
                  aria-label={`${says.thingOf[kind]}: ${when}`}
                  onClick={() => onLook({ about: id, date: null, person: null })}
                >
                  {says.thing[kind]}
                </Button>
              ))}
          </>
        )
      }}
    />
  )
}
