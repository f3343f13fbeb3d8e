import type { Club } from "../../api/catalogue"
import { type AdminCoach, adminCoaches, type CoachDraft } from "../../api/resources"
import { formatMoney } from "../../words/format"
import { staff } from "../../words/staff"
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
      { head: says.hours, of: hoursOf },
    ],
    nameOf: ({ name }) => name,
    empty: { name: "", rate: 0, hours: [] },
    draftOf: ({ name, rate, hours }) => ({ name, rate, hours }),
    Fields,
    says,
  }
}

function hoursOf({ hours, exceptions }: AdminCoach): string {
  const week = weekInWords(hours) || says.off
  return exceptions.length > 0 ? `${week} (${says.dated(exceptions.length)})` : week
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
      <Week name="hours" week={draft.hours} onChange={hours => set({ hours })} problem={problem} none={says.off} />
    </>
  )
}
