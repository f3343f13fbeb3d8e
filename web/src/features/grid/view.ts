/** What is looked at, as the address has it: date, filters and the selection. */

import { useMemo } from "react"
import { useSearchParams } from "wouter"
import type { Court } from "../../api/catalogue"
import { useOpened } from "../../ui/useOpened"
import { rfc, type Span } from "./timeline"

/** A court and a time that somebody is about to book. */
export interface Selection extends Span {
  readonly court: number
}

/** Coach and equipment, the latter as id → how many. */
export interface Extras {
  readonly coach_id: number | null
  readonly equipment: Readonly<Record<number, number>>
}

export interface View {
  readonly date: string
  readonly place: "indoor" | "outdoor" | null
  readonly kind: string | null
  /** Only times at which this coach is free: an id, or whoever; null where it does not matter. */
  readonly coach: number | "any" | null
  readonly selection: Selection | null
  /** What goes with it: where nobody has said, the coach who is looked for. */
  readonly extras: Extras
}

export type Changes = Partial<Omit<View, "extras">>

/** The view, and how to change it: each change is a step that Back takes back. */
export function useView(today: string) {
  const [search, setSearch] = useSearchParams()
  const text = search.toString()
  const view = useMemo(() => viewOf(new URLSearchParams(text), today), [text, today])
  const opened = useOpened()
  const writing = (changes: Changes, extras?: Extras | null) => (before: URLSearchParams) =>
    write(before, changes, extras)
  return {
    view,
    change: (changes: Changes) => setSearch(writing(changes)),
    /** Open the drawer. With its day: what was selected today is not another time tomorrow. */
    select: (selection: Selection) => opened.open(writing({ date: view.date, selection }, null)),
    reselect: (selection: Selection) => opened.change(writing({ selection })),
    unselect: () => opened.close(writing({ selection: null }, null)),
    /** In the address too, so that whoever has to sign in meanwhile comes back to them. */
    take: (extras: Extras) => opened.change(writing({}, extras)),
  }
}

function viewOf(search: URLSearchParams, today: string): View {
  const date = search.get("date") ?? ""
  const place = search.get("place")
  const [court, from, until] = [Number(search.get("court")), readTime(search, "from"), readTime(search, "until")]
  const coach = coachOf(search.get("coach"))
  return {
    date: isDate(date) ? date : today,
    place: place === "indoor" || place === "outdoor" ? place : null,
    kind: search.get("kind"),
    coach,
    selection: court > 0 && from < until ? { court, from, until } : null,
    extras: {
      coach_id: search.has("with") ? Number(search.get("with")) || null : typeof coach === "number" ? coach : null,
      equipment: equipmentOf(search.get("items") ?? ""),
    },
  }
}

/** "1x2,4x1": two of the equipment 1, one of 4. */
function equipmentOf(text: string): Record<number, number> {
  const found = [...text.matchAll(/(\d+)x(\d+)/g)]
  return Object.fromEntries(found.map(([, id, quantity]) => [Number(id), Number(quantity)]))
}

function coachOf(text: string | null): View["coach"] {
  return text === "any" ? text : Number(text) || null
}

function isDate(text: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text))
}

function readTime(search: URLSearchParams, name: string): number {
  return Date.parse(search.get(name) ?? "")
}

function write(before: URLSearchParams, changes: Changes, extras: Extras | null | undefined): URLSearchParams {
  const after = new URLSearchParams(before)
  const put = (name: string, value: string | null | undefined) => {
    if (value === undefined) return
    if (value === null) after.delete(name)
    else after.set(name, value)
  }
  put("date", changes.date)
  put("place", changes.place)
  put("kind", changes.kind)
  put("coach", typeof changes.coach === "number" ? String(changes.coach) : changes.coach)
  const { selection } = changes
  if (selection !== undefined) {
    put("court", selection && String(selection.court))
    put("from", selection && rfc(selection.from))
    put("until", selection && rfc(selection.until))
  }
  if (extras !== undefined) {
    const items = Object.entries(extras?.equipment ?? {}).filter(([, quantity]) => quantity > 0)
    put("with", extras && String(extras.coach_id ?? 0))
    put("items", items.map(([id, quantity]) => `${id}x${quantity}`).join() || null)
  }
  return after
}

export function isShown(view: View, court: Court): boolean {
  return (!view.place || court.indoor === (view.place === "indoor")) && (!view.kind || court.kind === view.kind)
}
