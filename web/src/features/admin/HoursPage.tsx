import { useQuery, useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import type { Club } from "../../api/catalogue"
import { changeWeek, type DayHours, type DayWindow, dayHours, weekQuery } from "../../api/collections"
import { Problem } from "../../api/problem"
import type { components } from "../../api/schema"
import { Field } from "../../ui/Field"
import { Form } from "../../ui/Form"
import { Notice, Trouble } from "../../ui/Notice"
import { formatDay } from "../../words/format"
import { staff } from "../../words/staff"
import { Week } from "./fields/Week"
import { Windows } from "./fields/Windows"
import { type Drafting, type Kind, Listing } from "./Listing"
import { StaffPage } from "./StaffPage"
import styles from "./staff.module.css"

const says = staff.hours
type Draft = components["schemas"]["ExceptionDraft"]

/** When the club is open: the week, and the dates that are different. */
export function HoursPage() {
  return (
    <StaffPage title={says.title}>
      {({ club }) => (
        <>
          <p>
            {says.text} {says.night}
          </p>
          <TheWeek club={club} />
          <h2>{says.days}</h2>
          <Listing club={club} title={says.days} kind={DAYS} />
        </>
      )}
    </StaffPage>
  )
}

function TheWeek({ club }: { club: Club }) {
  const { data, error } = useQuery(weekQuery(club.slug))
  const [outcome, setOutcome] = useState<"saved" | "changed" | null>(null)
  return (
    <section aria-labelledby="week" className={styles["narrow"]}>
      <h2 id="week">{says.week}</h2>
      {outcome === "saved" && <Notice>{says.weekSaved}</Notice>}
      {outcome === "changed" && <Notice trouble>{staff.changedMeanwhile}</Notice>}
      {error && <Trouble error={error} />}
      {data && (
        <WeekForm
          // What is being changed stays as it is when another part of the club gets a new version.
          key={JSON.stringify(data.hours)}
          club={club}
          hours={data.hours}
          version={data.version}
          onOutcome={setOutcome}
        />
      )}
    </section>
  )
}

interface FormProps {
  readonly club: Club
  readonly hours: DayWindow[]
  readonly version: number
  readonly onOutcome: (outcome: "saved" | "changed" | null) => void
}

function WeekForm({ club, hours, version, onOutcome }: FormProps) {
  const queries = useQueryClient()
  const [week, setWeek] = useState(hours)
  const [round, setRound] = useState(0)

  async function save() {
    onOutcome(null)
    try {
      await changeWeek(club.slug, version, week)
      onOutcome("saved")
    } catch (problem) {
      if (!(problem instanceof Problem && problem.status === 412)) throw problem
      onOutcome("changed")
    } finally {
      await queries.invalidateQueries({ queryKey: ["admin"] })
      await queries.invalidateQueries({ queryKey: ["clubs"] })
    }
    setRound(round + 1)
  }

  return (
    <Form key={round} submit={staff.listing.save} act={save}>
      {problem => <Week name="hours" week={week} onChange={setWeek} problem={problem} />}
    </Form>
  )
}

const DAYS: Kind<DayHours, Draft> = {
  collection: dayHours,
  columns: [
    { head: says.day, of: ({ day }) => `${formatDay(day)} ${day.slice(0, 4)}` },
    { head: says.hours, of: ({ windows }) => hoursOf(windows) },
    { head: says.reason, of: ({ reason }) => reason },
  ],
  nameOf: ({ day }) => formatDay(day),
  empty: { day: "", windows: [], reason: "" },
  draftOf: ({ day, windows, reason }) => ({ day, windows, reason }),
  Fields,
  says,
}

/** "08:00–12:00, 14:00–22:00" */
function hoursOf(windows: readonly { opens: string; closes: string }[]): string {
  return windows.map(({ opens, closes }) => `${opens}–${closes}`).join(", ") || says.closed
}

function Fields({ draft, set, problem, item }: Drafting<DayHours, Draft>) {
  return (
    <>
      {item === null && (
        <Field
          label={says.day}
          name="day"
          type="date"
          required
          value={draft.day}
          problem={problem("day")}
          onChange={event => set({ day: event.target.value })}
        />
      )}
      <Field
        label={says.reason}
        name="reason"
        maxLength={200}
        autoComplete="off"
        value={draft.reason ?? ""}
        problem={problem("reason")}
        onChange={event => set({ reason: event.target.value })}
      />
      <Windows
        of={says.ofDay}
        windows={draft.windows ?? []}
        nameOf={index => `windows[${index}]`}
        onChange={windows => set({ windows })}
        problem={problem}
      />
    </>
  )
}
