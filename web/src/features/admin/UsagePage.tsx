import { useQuery } from "@tanstack/react-query"
import { useState } from "react"
import type { Club } from "../../api/catalogue"
import { type CoachUse, type CourtUse, usageQuery } from "../../api/reports"
import { useNow } from "../../api/useNow"
import { Field } from "../../ui/Field"
import { Trouble } from "../../ui/Notice"
import { type Column, Table } from "../../ui/Table"
import { addDays, formatMoney, localDay } from "../../words/format"
import { staff } from "../../words/staff"
import { LOCALE } from "../../words/words"
import { StaffPage } from "./StaffPage"
import styles from "./staff.module.css"

const says = staff.usage
const figure = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1 })
const percent = new Intl.NumberFormat(LOCALE, { style: "percent", maximumFractionDigits: 1 })

/** How a stretch of days was used: courts, coaches, money and what happened. */
export function UsagePage() {
  return (
    <StaffPage title={says.title}>
      {({ club }) => (
        <>
          <p>{says.text}</p>
          <Usage club={club} />
        </>
      )}
    </StaffPage>
  )
}

function Usage({ club }: { club: Club }) {
  const today = localDay(useNow(), club.zone)
  const [days, setDays] = useState({ from: addDays(today, -27), to: today })
  const { data, error } = useQuery(usageQuery(club.slug, days.from, days.to))
  return (
    <>
      <div className={styles["bar"]}>
        {(["from", "to"] as const).map(end => (
          <Field
            key={end}
            label={says[end]}
            type="date"
            value={days[end]}
            onChange={event => event.target.value && setDays({ ...days, [end]: event.target.value })}
          />
        ))}
      </div>
      {error && <Trouble error={error} />}
      {data && (
        <>
          <h2>{says.courts}</h2>
          <Table
            caption={says.courts}
            columns={courtColumns(data.currency)}
            rows={data.courts}
            keyOf={({ court_id }) => court_id}
          />
          <h2>{says.coaches}</h2>
          {data.coaches.length === 0 && <p className={styles["quiet"]}>{says.none}</p>}
          {data.coaches.length > 0 && (
            <Table caption={says.coaches} columns={COACHES} rows={data.coaches} keyOf={({ coach_id }) => coach_id} />
          )}
          <h2>{says.happened}</h2>
          <Figures names={says.events} figures={data.events} write={figure.format} />
          <h2>{says.money}</h2>
          <Figures names={says.ledger} figures={data.ledger} write={value => formatMoney(value, data.currency)} />
        </>
      )}
    </>
  )
}

const hours = { head: says.hours, figures: true, of: ({ minutes }: { minutes: number }) => figure.format(minutes / 60) }
const bookings = { head: says.bookings, figures: true, of: (use: { bookings: number }) => figure.format(use.bookings) }

const COACHES: readonly Column<CoachUse>[] = [
  { head: says.name, of: ({ name, coach_id }) => name ?? says.retired(coach_id) },
  bookings,
  hours,
]

function courtColumns(currency: string): readonly Column<CourtUse>[] {
  return [
    { head: says.name, of: ({ name, court_id }) => name ?? says.retired(court_id) },
    bookings,
    hours,
    { head: says.share, figures: true, of: ({ share }) => share !== null && percent.format(share) },
    { head: says.total, figures: true, of: ({ total }) => formatMoney(total, currency) },
  ]
}

interface FiguresProps<Name extends string> {
  readonly names: Readonly<Record<Name, string>>
  readonly figures: Readonly<Record<Name, number>>
  readonly write: (figure: number) => string
}

/** Figures with their names, a line each. */
function Figures<Name extends string>({ names, figures, write }: FiguresProps<Name>) {
  return (
    <dl className={styles["figures"]}>
      {(Object.keys(names) as Name[]).map(name => (
        <div key={name}>
          <dt>{names[name]}</dt>
          <dd>{write(figures[name])}</dd>
        </div>
      ))}
    </dl>
  )
}
