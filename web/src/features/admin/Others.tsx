import { useQuery } from "@tanstack/react-query"
import type { Club } from "../../api/catalogue"
import { foundQuery } from "../../api/desk"
import { Trouble } from "../../ui/Notice"
import { useSettled } from "../../ui/useSettled"
import { staff } from "../../words/staff"
import { type Asked, DeskTable } from "./DeskTable"

const says = staff.today
/** A single letter finds half the club. */
const LEAST = 2

interface Props {
  readonly club: Club
  readonly search: string
  readonly today: string
  readonly now: number
  readonly onAsk: (asked: Asked) => void
}

/** What whoever is looked for has booked from today on, on whatever day: people do not always know the day. */
export function Others({ club, search, today, now, onAsk }: Props) {
  const settled = useSettled(search)
  const looking = settled.length >= LEAST && search.length >= LEAST
  const { data, error } = useQuery({ ...foundQuery(club.slug, settled, today), enabled: looking })
  if (!looking) return null
  return (
    <section aria-labelledby="others">
      <h2 id="others">{says.others(settled)}</h2>
      {error && <Trouble error={error} />}
      {data?.items.length === 0 && <p>{says.noOthers}</p>}
      {data && data.items.length > 0 && (
        <DeskTable club={club} caption={says.others(settled)} bookings={data.items} dated now={now} onAsk={onAsk} />
      )}
      {data?.next && <p>{says.more}</p>}
    </section>
  )
}
