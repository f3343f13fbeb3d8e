/** The days that somebody looks at, and what is known of them: a store outside React, one subscription per row. */

import { type Day, takeRow, takeSnap } from "./day"
import { nameOf, type Row, type Snap, type Topic } from "./protocol"

/** What of a day is not in its rows. The same object as long as it says the same. */
export interface Head {
  readonly epoch: string
  readonly config: number
  readonly open: Day["open"]
  /** The courts of the day, by id. */
  readonly courts: readonly number[]
}

/** Days that nobody looks at any more are kept for coming back to, so many of them. */
const KEPT = 16

export class Topics {
  readonly #watched = new Map<string, { topic: Topic; watchers: number }>()
  readonly #days = new Map<string, Day>()
  readonly #heads = new Map<string, Head>()
  readonly #refused = new Map<string, string>()
  readonly #listeners = new Map<string, Set<() => void>>()
  readonly #onWatched: () => void

  /** `onWatched` is called when a day begins or ceases to be looked at. */
  constructor(onWatched: () => void) {
    this.#onWatched = onWatched
  }

  /** The days that are looked at. */
  watched(): Topic[] {
    return [...this.#watched.values()].map(entry => entry.topic)
  }

  isWatched(topic: Topic): boolean {
    return this.#watched.has(nameOf(topic))
  }

  /** Look at a day until the function that is given back is called. */
  watch(topic: Topic): () => void {
    const name = nameOf(topic)
    const entry = this.#watched.get(name)
    if (entry) entry.watchers++
    else {
      this.#watched.set(name, { topic, watchers: 1 })
      this.#refused.delete(name)
      this.#onWatched()
    }
    let watching = true
    return () => {
      const mine = this.#watched.get(name)
      if (!watching || !mine) return
      watching = false
      if (--mine.watchers > 0) return
      this.#watched.delete(name)
      this.#forgetOldest()
      this.#onWatched()
    }
  }

  day(topic: Topic): Day | undefined {
    return this.#days.get(nameOf(topic))
  }

  head(topic: Topic): Head | undefined {
    return this.#heads.get(nameOf(topic))
  }

  row(topic: Topic, court: number): Row | undefined {
    return this.day(topic)?.rows.get(court)
  }

  /** Why a day cannot be looked at (a code of the protocol), if so. */
  refusal(topic: Topic): string | undefined {
    return this.#refused.get(nameOf(topic))
  }

  /** Be called when the day itself changes: its courts, hours, epoch or refusal, but not what a row says. */
  onDay(topic: Topic, listener: () => void): () => void {
    return this.#listen(nameOf(topic), listener)
  }

  /** Be called when the court's row changes. */
  onRow(topic: Topic, court: number, listener: () => void): () => void {
    return this.#listen(`${nameOf(topic)}#${court}`, listener)
  }

  /** Apply a snap of a day that is looked at. */
  takeSnap(snap: Snap): void {
    if (!this.isWatched(snap)) return
    this.#refused.delete(nameOf(snap))
    this.#put(snap, takeSnap(this.day(snap), snap))
  }

  /** Apply a row of a day that is looked at; false if the whole day has to be asked for. */
  takeRow(topic: Topic, epoch: string, row: Row): boolean {
    const day = this.day(topic)
    if (!this.isWatched(topic)) return true
    const after = day ? takeRow(day, epoch, row) : null
    if (after === null) return false
    this.#put(topic, after)
    return true
  }

  /** A day cannot be looked at. */
  refuse(topic: Topic, code: string): void {
    this.#refused.set(nameOf(topic), code)
    this.#drop(nameOf(topic))
    this.#tell(nameOf(topic))
  }

  #put(topic: Topic, after: Day): void {
    const name = nameOf(topic)
    const before = this.#days.get(name)
    this.#days.delete(name) // the order of the map is the order of use
    this.#days.set(name, after)
    if (before === after) return
    for (const court of new Set([...(before?.rows.keys() ?? []), ...after.rows.keys()])) {
      if (before?.rows.get(court) !== after.rows.get(court)) this.#tell(`${name}#${court}`)
    }
    const [known, head] = [this.#heads.get(name), headOf(after)]
    if (JSON.stringify(known) === JSON.stringify(head)) return
    this.#heads.set(name, head)
    this.#tell(name)
  }

  #drop(name: string): void {
    this.#days.delete(name)
    this.#heads.delete(name)
  }

  #forgetOldest(): void {
    for (const name of this.#days.keys()) {
      if (this.#days.size <= KEPT) return
      if (!this.#watched.has(name)) this.#drop(name)
    }
  }

  #listen(key: string, listener: () => void): () => void {
    const set = this.#listeners.get(key) ?? new Set()
    this.#listeners.set(key, set.add(listener))
    return () => {
      set.delete(listener)
      if (set.size === 0 && this.#listeners.get(key) === set) this.#listeners.delete(key)
    }
  }

  #tell(key: string): void {
    for (const listener of this.#listeners.get(key) ?? []) listener()
  }
}

function headOf(day: Day): Head {
  const courts = [...day.rows.keys()].sort((one, other) => one - other)
  return { epoch: day.epoch, config: day.config, open: day.open, courts }
}
