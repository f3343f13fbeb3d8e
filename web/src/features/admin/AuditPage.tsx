import { useInfiniteQuery } from "@tanstack/react-query"
import { useRef } from "react"
import { useSearchParams } from "wouter"
import { type Trail, trailQuery } from "../../api/audit"
import type { Club } from "../../api/catalogue"
import { Button } from "../../ui/Button"
import { Field } from "../../ui/Field"
import { Trouble } from "../../ui/Notice"
import { staff } from "../../words/staff"
import { AuditTable } from "./AuditTable"
import { nameOf } from "./audit"
import { dateOf } from "./DayChoice"
import { PersonChoice } from "./PersonChoice"
import { StaffPage } from "./StaffPage"
import styles from "./staff.module.css"

const says = staff.audit

/** Who did what in the club and when: of a day, by or about a person, about one thing. */
export function AuditPage() {
  return (
    <StaffPage title={says.title}>
      {({ club }) => (
        <>
          <p>{says.text}</p>
          <Audit club={club} />
        </>
      )}
    </StaffPage>
  )
}

function Audit({ club }: { club: Club }) {
  const [address, setAddress] = useSearchParams()
  const place = useRef<HTMLDivElement>(null)
  const person = Number(address.get("person"))
  const trail: Trail = {
    date: dateOf(address.get("date")),
    person: Number.isSafeInteger(person) && person > 0 ? person : null,
    about: idOf(address.get("about")),
  }
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(trailQuery(club.slug, trail))
  const events = data?.pages.flatMap(({ items }) => items)
  const people = new Map(data?.pages.flatMap(page => page.people).map(each => [each.id, each]))

  /** Looks for something else; null: for anything. The address has it, so that Back leads back. */
  function look(changes: Partial<Trail>) {
    setAddress(before => {
      const after = new URLSearchParams(before)
      for (const [name, value] of Object.entries(changes)) {
        if (value === null) after.delete(name)
        else after.set(name, String(value))
      }
      return after
    })
    // What was pressed goes with the list that it was in.
    if ("person" in changes || "about" in changes) place.current?.focus()
  }

  return (
    <>
      {error && <Trouble error={error} />}
      <div className={styles["bar"]}>
        <div className={styles["days"]}>
          <Field
            label={says.day}
            type="date"
            value={trail.date ?? ""}
            onChange={event => look({ date: event.target.value || null })}
          />
          {trail.date && <Button onClick={() => look({ date: null })}>{says.allDays}</Button>}
        </div>
        {trail.person === null && <PersonChoice club={club} onChoose={({ id }) => look({ person: id })} />}
      </div>
      <div ref={place} tabIndex={-1}>
        {trail.person !== null && (
          <div className={styles["actions"]}>
            <p className={styles["chosen"]}>{says.onlyPerson(nameOf(people.get(trail.person), trail.person))}</p>
            <Button onClick={() => look({ person: null })}>{says.everybody}</Button>
          </div>
        )}
        {trail.about !== null && (
          <div className={styles["actions"]}>
            <p className={styles["chosen"]}>{says.onlyThing}</p>
            <Button onClick={() => look({ about: null })}>{says.everything}</Button>
          </div>
        )}
      </div>
      {events?.length === 0 && <p>{says.none}</p>}
      {events && events.length > 0 && (
        <AuditTable club={club} events={events} people={people} trail={trail} onLook={look} />
      )}
      {hasNextPage && (
        <p>
          <Button disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {says.older}
          </Button>
        </p>
      )}
      {events && !hasNextPage && trail.date === null && trail.about === null && (
        <p className={styles["quiet"]}>{says.recent}</p>
      )}
    </>
  )
}

/** An id as bookings have it; anything else is no id. */
function idOf(text: string | null): string | null {
  return text && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text : null
}
