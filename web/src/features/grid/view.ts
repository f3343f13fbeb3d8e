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

export interface View {
  readonly date: string
  readonly place: "indoor" | "outdoor" | null
  readonly kind: string | null
  /** Only times at which this coach is free: an id, or whoever; null where it does not matter. */
  readonly coach: number | "any" | null
  readonly selection: Selection | null
}

/** The view, and how to change it: each change is a step that Back takes back. */
export function useView(today: string) {
  const [search, setSearch] = useSearchParams()
  const text = search.toString()
  const view = useMemo(() => viewOf(new URLSearchParams(text), today), [text, today])
  const opened = useOpened()
  const writing = (changes: Partial<View>) => (before: URLSearchParams) => write(before, changes)
  return {
    view,
    change: (changes: Partial<View>) => setSearch(writing(changes)),
    /** Open the drawer. With its day: what was selected today is not another time tomorrow. */
    select: (selection: Selection) => opened.open(writing({ date: view.date, selection })),
    reselect: (selection: Selection) => opened.change(writing({ selection })),
    unselect: () => opened.close(writing({ selection: null })),
  }
}

function viewOf(search: URLSearchParams, today: string): View {
  const date = search.get("date") ?? ""
  const place = search.get("place")
  const [court, from, until] = [Number(search.get("court")), readTime(search, "from"), readTime(search, "until")]
  return {
    date: isDate(date) ? date : today,
    place: place === "indoor" || place === "outdoor" ? place : null,
    kind: search.get("kind"),
    coach: coachOf(search.get("coach")),
    selection: court > 0 && from < until ? { court, from, until } : null,
  }
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

function write(before: URLSearchParams, changes: Partial<View>): URLSearchParams {
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
  return after
}

export function isShown(view: View, court: Court): boolean {
  return (!view.place || court.indoor === (view.place === "indoor")) && (!view.kind || court.kind === view.kind)
}
