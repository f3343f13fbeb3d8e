import { useQuery } from "@tanstack/react-query"
import { useMemo } from "react"
import { type Club, type Court, courtsQuery } from "../../api/catalogue"
import { type Closure, type ClosureDraft, closures } from "../../api/collections"
import { Field } from "../../ui/Field"
import { formatMoment, formatTime } from "../../words/format"
import { staff } from "../../words/staff"
import { Affected } from "./Affected"
import { Checks } from "./fields/Checks"
import styles from "./fields/fields.module.css"
import { type Drafting, type Kind, Listing } from "./Listing"
import { StaffPage } from "./StaffPage"

const says = staff.closures

/** What is closed and will be, closing courts once it is seen whom that meets, and opening them again. */
export function ClosuresPage() {
  return (
    <StaffPage title={says.title}>
      {({ club }) => (
        <>
          <p>{says.text}</p>
          <Closures club={club} />
        </>
      )}
    </StaffPage>
  )
}

/** `affected`: how many bookings are in the way, as it was shown; null while that is not known. */
type Draft = ClosureDraft & { readonly affected: number | null }

function Closures({ club }: { club: Club }) {
  const { data: courts } = useQuery(courtsQuery(club.slug, club.config_version))
  // The same form as long as the courts are: a new one would lose what is being typed.
  const kind = useMemo(() => courts && kindOf(club, courts), [club, courts])
  return kind ? <Listing club={club} title={says.title} kind={kind} /> : null
}

function kindOf(club: Club, courts: readonly Court[]): Kind<Closure, Draft> {
  const at = (instant: string) => formatMoment(instant, club.zone)
  const when = ({ start_ts, end_ts }: Closure) =>
    start_ts.slice(0, 10) === end_ts.slice(0, 10)
      ? `${at(start_ts)}–${formatTime(end_ts, club.zone)}`
      : `${at(start_ts)} – ${at(end_ts)}`
  const where = ({ court_ids }: Closure) =>
    court_ids.length === courts.length
      ? says.all
      : courts
          .filter(({ id }) => court_ids.includes(id))
          .map(({ name }) => name)
          .join(", ")
  return {
    collection: {
      ...closures,
      create: (slug, draft) => closures.create(slug, bodyOf(draft)),
      change: (slug, item, draft) => closures.change(slug, item, bodyOf(draft)),
    },
    columns: [
      { head: says.when, of: when },
      { head: says.courts, of: where },
      { head: says.reason, of: ({ reason }) => reason },
    ],
    nameOf: item => `${where(item)}, ${when(item)}`,
    empty: {
      court_ids: [],
      start_ts: "",
      end_ts: "",
      reason: "",
      cancel_bookings: false,
      preview: null,
      affected: null,
    },
    draftOf: ({ court_ids, start_ts, end_ts, reason }) => ({
      court_ids: [...court_ids],
      // Answers carry the club's own offset, so this is the club's day and time.
      start_ts: start_ts.slice(0, 16),
      end_ts: end_ts.slice(0, 16),
      reason,
      cancel_bookings: false,
      preview: null,
      affected: null,
    }),
    Fields: given => <Fields {...given} courts={courts} />,
    submitOf: ({ affected }) => {
      if (affected === null) return null
      return affected === 0 ? says.close : says.closeAndCancel(affected)
    },
    says: { ...says, saved: (_, answer) => says.saved((answer as Closure).cancelled.length) },
  }
}

/** What is sent: bookings are cancelled only if that was said before, and only those that were shown (`preview`). */
function bodyOf({ affected, ...draft }: Draft): ClosureDraft {
  return { ...draft, cancel_bookings: affected !== null && affected > 0 }
}

function Fields({
  club,
  draft,
  set,
  problem,
  courts,
}: Drafting<Closure, Draft> & { readonly courts: readonly Court[] }) {
  return (
    <>
      <Checks
        legend={says.which}
        name="court_ids"
        required
        choices={courts.map(({ id, name }) => ({ value: id, label: name }))}
        chosen={draft.court_ids}
        onChange={court_ids => set({ court_ids, affected: null })}
      />
      <div className={styles["pair"]}>
        <Field
          label={says.from}
          name="start_ts"
          type="datetime-local"
          required
          value={draft.start_ts}
          problem={problem("start_ts")}
          onChange={event => set({ start_ts: event.target.value, affected: null })}
        />
        <Field
          label={says.until}
          name="end_ts"
          type="datetime-local"
          required
          value={draft.end_ts}
          problem={problem("end_ts")}
          onChange={event => set({ end_ts: event.target.value, affected: null })}
        />
      </div>
      <Field
        label={says.reason}
        hint={says.reasonHint}
        name="reason"
        maxLength={200}
        autoComplete="off"
        value={draft.reason}
        problem={problem("reason")}
        onChange={event => set({ reason: event.target.value })}
      />
      <Affected club={club} draft={draft} onKnown={(affected, preview) => set({ affected, preview })} />
    </>
  )
}
