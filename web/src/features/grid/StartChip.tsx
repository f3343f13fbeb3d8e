import { Link } from "wouter"
import type { Club, Court } from "../../api/catalogue"
import { Button, buttonClass } from "../../ui/Button"
import { formatMoney, formatTimeOnce, formatTimes } from "../../words/format"
import { words } from "../../words/words"
import type { Own, Start } from "./starts"
import styles from "./Times.module.css"
import type { Selection } from "./view"

interface Props {
  readonly club: Club
  readonly start: Start
  readonly open: boolean
  /** In minor units; null or undefined where there is none, or it is not known. */
  readonly priceOf: (court: Court) => number | null | undefined
  readonly onOpen: () => void
  readonly onSelect: (selection: Selection) => void
}

/** A time to start, how many courts are free then and from what price; pressed, the courts. */
export function StartChip({ club, start, open, priceOf, onOpen, onSelect }: Props) {
  const { free, taken, own } = start
  const said = words.grid.times
  const money = (minor: number | null | undefined) => (minor == null ? null : formatMoney(minor, club.currency))
  const lowest = money(least(free.map(priceOf)))
  const time = formatTimeOnce(start.from, club.zone)
  return (
    <li className={styles["start"]}>
      <button
        type="button"
        className={styles["chip"]}
        disabled={free.length + taken.length + own.length === 0}
        data-full={free.length === 0 || undefined}
        aria-expanded={open}
        onClick={onOpen}
      >
        <b>{time}</b>
        <MarkOf start={start} />
        <span>{free.length === 0 ? said.none : said.free(free.length)}</span>
        {lowest && <span>{said.from(lowest)}</span>}
      </button>
      {open && own.length > 0 && (
        <fieldset className={styles["courts"]}>
          <legend>{said.own}</legend>
          {own.map(one => (
            <OwnCourt key={`${one.court.id} ${one.from}`} own={one} zone={club.zone} onSelect={onSelect} />
          ))}
        </fieldset>
      )}
      {open && free.length > 0 && (
        <fieldset className={styles["courts"]}>
          <legend>{said.choose(time)}</legend>
          {free.map(court => (
            <CourtChoice
              key={court.id}
              court={court}
              says={[money(priceOf(court))]}
              onPress={() => onSelect({ ...spanOf(start), court: court.id })}
            />
          ))}
        </fieldset>
      )}
      {open && taken.length > 0 && (
        <fieldset className={styles["courts"]}>
          <legend>{(free.length > 0 ? said.waitToo : said.wait)(time)}</legend>
          {taken.map(({ court, wait }) => (
            <CourtChoice
              key={court.id}
              court={court}
              says={[wait && words.waitlist.place(wait.place), money(priceOf(court))]}
              onPress={() => onSelect({ ...spanOf(wait ?? start), court: court.id })}
            />
          ))}
        </fieldset>
      )}
    </li>
  )
}

interface CourtChoiceProps {
  readonly court: Court
  /** What is said of it at the end of its line, where there is something to say. */
  readonly says: readonly (string | null | undefined)[]
  readonly onPress: () => void
}

/** A court to press. */
function CourtChoice({ court, says, onPress }: CourtChoiceProps) {
  return (
    <Button onClick={onPress}>
      <span>
        {court.name} · {court.kind}
      </span>{" "}
      <span>{says.filter(Boolean).join(" · ")}</span>
    </Button>
  )
}

/** What is one's own at the time: a booking, something that is held, or a place in the line. */
function MarkOf({ start: { mark } }: { start: Start }) {
  if (!mark) return null
  if ("place" in mark) return <span className={styles["line"]}>{words.waitlist.place(mark.place)}</span>
  const { mine, offer } = words.grid.state
  return (
    <span className={styles["own"]}>
      <Sign offered={mark.offered} />
      {mark.offered ? offer : mine}
    </span>
  )
}

/** For the eye, as on the board. */
function Sign({ offered }: { offered: boolean }) {
  return <span aria-hidden="true">{offered ? "◷ " : "★ "}</span>
}

function OwnCourt({ own, zone, onSelect }: { own: Own; zone: string; onSelect: Props["onSelect"] }) {
  const { court, cell, offered } = own
  const times = formatTimes(own.from, own.until, zone)
  if (!offered) {
    return (
      <Link href="/bookings" className={buttonClass()}>
        <Sign offered={false} />
        {words.grid.times.yours(court.name, times)}
      </Link>
    )
  }
  const until = cell.until && words.grid.state.offerUntil(formatTimeOnce(cell.until, zone))
  return (
    <Button onClick={() => onSelect({ ...spanOf(own), court: court.id })}>
      <Sign offered />
      {[court.name, times, until].filter(Boolean).join(" · ")}
    </Button>
  )
}

function spanOf({ from, until }: { from: number; until: number }) {
  return { from, until }
}

function least(prices: (number | null | undefined)[]): number | null {
  const known = prices.filter(price => price != null)
  return known.length > 0 ? Math.min(...known) : null
}
