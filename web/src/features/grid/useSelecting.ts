/** Selecting on the board: by press, by drag, and by keys. Knows the cells by what stands on them. */

import { type KeyboardEvent, type MouseEvent, type PointerEvent, useRef, useState } from "react"
import type { Selection } from "./view"

export interface Steps {
  /** The courts from top to bottom. */
  readonly courts: readonly number[]
  readonly from: number
  readonly until: number
  readonly step: number
  /** How long a selection is at first, in milliseconds. */
  readonly usual: number
  /** Whether a court is free for all of a span. */
  isFree(court: number, from: number, until: number): boolean
  /** All of what is there at a place, if somebody may wait for it or claim it. */
  takenAt(place: Place): Selection | null
}

export interface Place {
  readonly court: number
  readonly at: number
}

export function useSelecting(steps: Steps, open: (selection: Selection) => void, focusOn: (place: Place) => void) {
  const [draft, setDraft] = useState<Selection | null>(null)
  const [focus, setFocus] = useState<Place | null>(null)
  const pressed = useRef<(Place & { dragged: boolean; fresh: boolean }) | null>(null)

  /** From a place on: so long as is usual, or as long as there is room for. */
  const begin = ({ court, at }: Place): Selection | null => {
    for (let until = at + steps.usual; until > at; until -= steps.step) {
      if (steps.isFree(court, at, until)) return { court, from: at, until }
    }
    return null
  }
  /** The draft, or the one that begins at the anchor, drawn out to a place: null where something is between. */
  const drawn = (anchor: Place, at: number): Selection | null => {
    const [from, until] = [Math.min(anchor.at, at), Math.max(anchor.at, at) + steps.step]
    return steps.isFree(anchor.court, from, until) ? { court: anchor.court, from, until } : null
  }
  const goTo = (place: Place) => {
    setFocus(place)
    focusOn(place)
  }

  const onPointerDown = (event: PointerEvent<HTMLElement>) => {
    const place = placeAt(event.target)
    if (!place || event.button !== 0) return
    setFocus(place)
    if (!steps.isFree(place.court, place.at, place.at + steps.step)) return
    const fresh = draft?.court !== place.court || place.at < draft.from
    pressed.current = { ...place, dragged: false, fresh }
    if (fresh) setDraft(begin(place))
  }
  const onPointerMove = (event: PointerEvent<HTMLElement>) => {
    const from = pressed.current
    if (event.buttons === 0) pressed.current = null // it was let go elsewhere
    if (!from || event.buttons === 0 || event.pointerType === "touch") return
    const place = placeAt(document.elementFromPoint(event.clientX, event.clientY))
    if (place?.court !== from.court || (place.at === from.at && !from.dragged)) return
    from.dragged = true
    const next = drawn(from, place.at)
    if (next) setDraft(next)
  }
  const onPointerUp = () => {
    const from = pressed.current
    pressed.current = null
    if (!from || !draft) return
    if (from.dragged) open(draft)
    else if (!from.fresh)
      open(drawn({ court: draft.court, at: draft.from }, Math.max(from.at, draft.until - steps.step)) ?? draft)
  }

  const onClick = (event: MouseEvent<HTMLElement>) => {
    const place = placeAt(event.target)
    const taken = place && steps.takenAt(place)
    if (taken) open(taken)
  }

  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const place = placeAt(event.target)
    if (!place || event.altKey || event.metaKey) return
    const ahead = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (ahead !== undefined && event.shiftKey) lengthen(place, ahead)
    else {
      const next = neighbour(event, place)
      if (next) goTo(next)
      else if (event.key === "Escape" && draft) setDraft(null)
      else if (event.key === "Enter" || event.key === " ") openAt(place)
      else return
    }
    event.preventDefault()
  }
  const neighbour = ({ key, target }: KeyboardEvent, place: Place): Place | null => {
    const down = { ArrowUp: -1, ArrowDown: 1, PageUp: -5, PageDown: 5 }[key]
    if (down !== undefined) return { ...place, court: courtBeside(steps.courts, place.court, down) }
    const at = {
      ArrowLeft: besides(target, -1) ?? place.at,
      ArrowRight: besides(target, 1) ?? place.at,
      Home: steps.from,
      End: steps.until - steps.step,
    }[key]
    return at === undefined ? null : { ...place, at }
  }
  const openAt = (place: Place) => {
    const selection = draft?.court === place.court ? draft : (begin(place) ?? steps.takenAt(place))
    if (selection) open(selection)
  }
  const lengthen = (place: Place, ahead: number) => {
    const at = draft?.court === place.court ? draft : null
    const next = at
      ? { ...at, until: at.until + ahead * steps.step }
      : { court: place.court, from: place.at, until: place.at + steps.step }
    if (next.until > next.from && steps.isFree(next.court, next.from, next.until)) setDraft(next)
  }

  return { draft, setDraft, focus, handlers: { onPointerDown, onPointerMove, onPointerUp, onClick, onKeyDown } }
}

/** The court and the instant of the cell that an element is in. */
function placeAt(element: EventTarget | null): Place | null {
  const cell = element instanceof Element ? element.closest<HTMLElement>("[data-from]") : null
  const row = cell?.closest<HTMLElement>("[data-court]")
  return cell && row ? { court: Number(row.dataset["court"]), at: Number(cell.dataset["from"]) } : null
}

function besides(element: EventTarget, ahead: number): number | null {
  const cell = element instanceof Element ? element.closest("[data-from]") : null
  const next = ahead > 0 ? cell?.nextElementSibling : cell?.previousElementSibling
  return next instanceof HTMLElement && next.dataset["from"] ? Number(next.dataset["from"]) : null
}

function courtBeside(courts: readonly number[], court: number, down: number): number {
  const index = Math.min(Math.max(courts.indexOf(court) + down, 0), courts.length - 1)
  return courts[index] ?? court
}
