import { useQuery, useQueryClient } from "@tanstack/react-query"
import { useRef, useState } from "react"
import type { Wanted } from "../../api/bookings"
import type { Club, Court } from "../../api/catalogue"
import { newKey } from "../../api/key"
import { Problem } from "../../api/problem"
import { type Entry, joinWaitlist, placeQuery, type Slot, type Wish } from "../../api/waitlist"
import { Button } from "../../ui/Button"
import { Field } from "../../ui/Field"
import { Notice } from "../../ui/Notice"
import { Select } from "../../ui/Select"
import { useRested } from "../../ui/useRested"
import { formatTimes, minorDigits } from "../../words/format"
import { words } from "../../words/words"
import { sentenceFor } from "./refusals"
import { useEntryActions } from "./useEntryActions"
import { useWaiting } from "./useWaiting"
import styles from "./waitlist.module.css"

const MINUTE = 60_000
const NO_KEY = { what: "", key: "" }

interface Props {
  readonly club: Club
  readonly court: Court
  readonly wanted: Wanted
  /** What it costs today, in minor units; null while that is not known. */
  readonly price: number | null
  readonly onJoined: (entry: Entry) => void
}

/** Waiting for what is taken: for this court or any of its kind, to be offered or booked at once. */
export function WaitPanel({ club, court, wanted, price, onJoined }: Props) {
  const queries = useQueryClient()
  const [any, setAny] = useState(false)
  const [book, setBook] = useState(false)
  const [cap, setCap] = useState<string | null>(null)
  const [before, setBefore] = useState(0)
  const [busy, setBusy] = useState(false)
  const rested = useRested()
  const [error, setError] = useState<unknown>(null)
  const key = useRef(NO_KEY)
  const { start_ts, end_ts, coach_id, equipment } = wanted
  const place = any ? { court_id: null, kind: court.kind } : { court_id: court.id, kind: null }
  const slot: Slot = { club: club.slug, ...place, start_ts, end_ts }
  const position = useQuery({ ...placeQuery(slot), placeholderData: known => known })
  const known = useWaiting().entries.find(entry => isFor(entry, slot))
  const unit = 10 ** minorDigits(club.currency)
  const most = cap ?? (price === null ? "" : String(price / unit))

  async function join() {
    const max_price = book && most !== "" ? Math.round(Number(most) * unit) : null
    const not_after = before > 0 ? new Date(Date.parse(start_ts) - before * MINUTE).toISOString() : null
    const wish: Wish = { coach_id, equipment, auto_book: book, max_price, not_after }
    const what = JSON.stringify([slot, wish])
    if (key.current.what !== what) key.current = { what, key: newKey() }
    setBusy(true)
    setError(null)
    try {
      onJoined(await joinWaitlist(slot, wish, key.current.key))
    } catch (problem) {
      if (problem instanceof Problem && problem.status >= 400 && problem.status < 500) key.current = NO_KEY
      setError(problem)
    } finally {
      setBusy(false)
      void queries.invalidateQueries({ queryKey: ["waitlist"] })
    }
  }

  const what = any ? words.waitlist.anyOf(court.kind) : court.name
  const slotted = `${what}, ${formatTimes(start_ts, end_ts, club.zone)}`
  if (known) return <Known entry={known} />
  return (
    <>
      <h3 className={styles["title"]}>{words.waitlist.instead}</h3>
      <Select
        label={words.waitlist.which}
        value={any ? "any" : "this"}
        onChange={event => setAny(event.target.value === "any")}
      >
        <option value="this">{court.name}</option>
        <option value="any">{words.waitlist.anyOf(court.kind)}</option>
      </Select>
      <fieldset className={styles["then"]}>
        <legend>{words.waitlist.fate}</legend>
        {[false, true].map(books => (
          <label key={String(books)}>
            <input type="radio" name="then" checked={book === books} onChange={() => setBook(books)} />
            {books ? words.waitlist.book : words.waitlist.offer(club.policy.offer_minutes)}
          </label>
        ))}
      </fieldset>
      {book && (
        <Field
          label={words.waitlist.cap(club.currency)}
          type="number"
          min={0}
          step={1 / unit}
          value={most}
          onChange={event => setCap(event.target.value)}
        />
      )}
      <Select label={words.waitlist.until} value={before} onChange={event => setBefore(Number(event.target.value))}>
        {Object.entries(words.waitlist.untils).map(([minutes, said]) => (
          <option key={minutes} value={minutes}>
            {said}
          </option>
        ))}
      </Select>
      {(error ?? position.error) !== null && <Notice trouble>{sentenceFor(error ?? position.error)}</Notice>}
      <p className={styles["join"]}>
        <small>{words.waitlist.joins(slotted)}</small>
        <Button look="primary" disabled={busy || !rested || !position.data} onClick={() => void join()}>
          {busy ? words.waitlist.joining : position.data ? words.waitlist.joinAs(position.data) : words.waitlist.join}
        </Button>
      </p>
    </>
  )
}

/** For whoever waits for this already. */
function Known({ entry }: { entry: Entry }) {
  const { busy, error, leave } = useEntryActions()
  return (
    <>
      <p>{words.waitlist.waits(entry.position)}</p>
      {error !== null && <Notice trouble>{sentenceFor(error)}</Notice>}
      <p className={styles["join"]}>
        <Button disabled={busy} onClick={() => void leave(entry)}>
          {words.waitlist.leave}
        </Button>
      </p>
    </>
  )
}

function isFor(entry: Entry, slot: Slot): boolean {
  return (
    entry.club === slot.club &&
    entry.court_id === slot.court_id &&
    entry.kind === slot.kind &&
    Date.parse(entry.start_ts) === Date.parse(slot.start_ts) &&
    Date.parse(entry.end_ts) === Date.parse(slot.end_ts)
  )
}
