import { useQuery } from "@tanstack/react-query"
import { useState } from "react"
import { courtsQuery } from "../../api/catalogue"
import { type Move, moveBooking, moveQuoteQuery } from "../../api/myBookings"
import { Button } from "../../ui/Button"
import { Dialog } from "../../ui/Dialog"
import { Field } from "../../ui/Field"
import { Form } from "../../ui/Form"
import { Trouble } from "../../ui/Notice"
import { Select } from "../../ui/Select"
import { formatMoney, formatSpan } from "../../words/format"
import { words } from "../../words/words"
import type { Settling } from "./settling"
import { usePlace } from "./usePlace"

/** Chooses another court or time for a booking, at a price that is there before the button is pressed. */
export function MoveDialog({ booking, who, email, onClose, onDone }: Settling) {
  const { club, court, zone } = usePlace(booking)
  const said = words.bookings.moving
  const step = club?.policy.granularity ?? 30
  const [courtId, setCourtId] = useState(booking.court_id)
  // Answers carry the club's own offset, so this is the club's day and time.
  const [date, setDate] = useState(booking.start_ts.slice(0, 10))
  const [time, setTime] = useState(booking.start_ts.slice(11, 16))
  const [minutes, setMinutes] = useState((Date.parse(booking.end_ts) - Date.parse(booking.start_ts)) / 60_000)
  const courts = useQuery({ ...courtsQuery(booking.club, club?.config_version ?? 0), enabled: !!club })
  const move: Move = { court_id: courtId, start_ts: `${date}T${time}`, end_ts: later(date, time, minutes) }
  const changed = move.start_ts !== booking.start_ts.slice(0, 16) || move.end_ts !== booking.end_ts.slice(0, 16)
  const elsewhere = changed || courtId !== booking.court_id
  const quote = useQuery({ ...moveQuoteQuery(booking, move, email), enabled: elsewhere && date !== "" && time !== "" })
  const price = quote.data && formatMoney(quote.data.total, quote.data.currency)
  return (
    <Dialog title={said.title} onClose={onClose}>
      <p>{[who, court, formatSpan(booking.start_ts, booking.end_ts, zone)].filter(Boolean).join(", ")}</p>
      <Form
        submit={price ? said.submit(price) : said.choose}
        ready={price !== undefined}
        act={async () => {
          if (!quote.data) return
          const moved = await moveBooking(booking.id, move, quote.data.total).catch(problem => {
            void quote.refetch()
            throw problem
          })
          onDone(said.done(formatSpan(moved.start_ts, moved.end_ts, zone)))
        }}
      >
        {() => (
          <>
            <Select label={said.court} value={courtId} onChange={event => setCourtId(Number(event.target.value))}>
              {courts.data?.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </Select>
            <Field
              label={said.date}
              type="date"
              required
              value={date}
              onChange={event => setDate(event.target.value)}
            />
            <Field
              label={said.time}
              type="time"
              required
              step={step * 60}
              value={time}
              onChange={event => setTime(event.target.value)}
            />
            <Select label={said.length} value={minutes} onChange={event => setMinutes(Number(event.target.value))}>
              {lengths(club?.policy, minutes).map(length => (
                <option key={length} value={length}>
                  {said.minutes(length)}
                </option>
              ))}
            </Select>
            {quote.error && <Trouble error={quote.error} />}
          </>
        )}
      </Form>
      <Button look="quiet" onClick={onClose}>
        {said.keep}
      </Button>
    </Dialog>
  )
}

/** The local time so many minutes later, as the API takes it. */
function later(date: string, time: string, minutes: number): string {
  const start = Date.parse(`${date}T${time}Z`)
  return Number.isNaN(start) ? "" : new Date(start + minutes * 60_000).toISOString().slice(0, 16)
}

/** The lengths that the club allows, and the one that the booking has. */
function lengths(
  policy: { granularity: number; min_duration: number; max_duration: number } | undefined,
  now: number,
): number[] {
  const found = new Set([now])
  if (policy) for (let of = policy.min_duration; of <= policy.max_duration; of += policy.granularity) found.add(of)
  return [...found].sort((one, other) => one - other)
}
