/** What a screen remembers over a power cut, in this browser. */

import type { Court } from "../../api/catalogue"
import type { Snap } from "../../live/protocol"

/** What it shows; `courtIds` null means all courts. */
export interface Shown {
  readonly name: string | null
  readonly clubName: string
  readonly zone: string
  readonly courtIds: readonly number[] | null
}

export interface Memory {
  readonly token: string | null
  /** Staff have shut it out, so it waits to be paired again even at a public club. */
  readonly ended: boolean
  readonly shown: Shown | null
  readonly courts: readonly Court[]
  readonly day: Snap | null
  /** When `day` was last known to be true, by the server's clock. */
  readonly trueAt: number | null
  /** How much the server's clock was ahead of the device's. */
  readonly offset: number
}

const EMPTY: Memory = { token: null, ended: false, shown: null, courts: [], day: null, trueAt: null, offset: 0 }

const memories = new Map<string, Memory>()

export function recall(club: string): Memory {
  const known = memories.get(club) ?? read(club)
  memories.set(club, known)
  return known
}

export function remember(club: string, change: Partial<Memory>): void {
  const memory = { ...recall(club), ...change }
  memories.set(club, memory)
  try {
    localStorage.setItem(keyOf(club), JSON.stringify(memory))
  } catch {
    // Storage is full or forbidden: it lasts as long as the page.
  }
}

/** Forget all but that it was shut out. */
export function forget(club: string): void {
  remember(club, { ...EMPTY, ended: true })
}

function read(club: string): Memory {
  try {
    return { ...EMPTY, ...(JSON.parse(localStorage.getItem(keyOf(club)) ?? "{}") as Partial<Memory>) }
  } catch {
    return EMPTY
  }
}

function keyOf(club: string): string {
  return `courtside.screen.${club}`
}
