import type { Club } from "../../api/catalogue"
import { serverNow } from "../../api/clock"
import type { Dated } from "../../api/collections"
import { type AdminCoach, adminCoaches, type CoachDraft } from "../../api/resources"
import { formatDay, formatMoney, localDay } from "../../words/format"
import { staff } from "../../words/staff"
import { Dates } from "./fields/Dates"
import { Money } from "./fields/Money"
import { Name } from "./fields/Name"
import { Week } from "./fields/Week"
import { type Drafting, type Kind, Listing } from "./Listing"
import { StaffPage } from "./StaffPage"
import { weekInWords } from "./week"

const says = staff.coaches

/** Who teaches, for how much and when. */
export function CoachesPage() {
  return (
    <StaffPage title={says.title}>
      {({ club }) => (
        <>
          <p>{says.text}</p>
          <Listing club={club} title={says.title} kind={kindOf(club)} />
        </>
      )}
    </StaffPage>
  )
}

function kindOf(club: Club): Kind<AdminCoach, CoachDraft> {
  return {
    collection: adminCoaches,
    columns: [
      { head: says.name, of: ({ name }) => name },
      { head: says.rate, figures: true, of: ({ rate }) => formatMoney(rate, club.currency) },
      { head: says.hours, of: coach => hoursOf(coach, localDay(serverNow(), club.zone)) },
    ],
    nameOf: ({ name }) => name,
    empty: { name: "", rate: 0, hours: [], exceptions: [] },
    draftOf: ({ name, rate, hours, exceptions }) => ({ name, rate, hours, exceptions }),
    Fields,
    says,
  }
}

function hoursOf({ hours, exceptions }: AdminCoach, today: string): string {
  const week = weekInWords(hours) || says.off
  const dated = exceptions.filter(({ day }) => day >= today)
  return dated.length > 0 ? `${week} (${dated.map(datedInWords).join("; ")})` : week
}

/** "Tue 1 Dec 09:00–12:00", "Wed 2 Dec off" */
function datedInWords({ day, windows }: Dated): string {
  const hours = windows.map(({ opens, closes }) => `${opens}–${closes}`).join(", ")
  return `${formatDay(day)} ${hours || says.offThen}`
}

function Fields({ club, draft, set, problem }: Drafting<AdminCoach, CoachDraft>) {
  return (
    <>
      <Name label={says.name} draft={draft} set={set} problem={problem} />
      <Money
        label={says.rate}
        name="rate"
        currency={club.currency}
        value={draft.rate}
        problem={problem("rate")}
        onChange={rate => set({ rate })}
      />
      <h3>{says.hours}</h3>
      <Week
        name="hours"
        week={draft.hours ?? []}
        onChange={hours => set({ hours })}
        problem={problem}
        none={says.off}
      />
      <h3>{staff.dates.title}</h3>
      <Dates
        name="exceptions"
        dates={draft.exceptions ?? []}
        today={localDay(serverNow(), club.zone)}
        onChange={exceptions => set({ exceptions })}
        problem={problem}
        none={says.off}
      />
    </>
  )
}
