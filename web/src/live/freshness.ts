/** How fresh what is shown can be: the mark that the page shows. */

import type { World } from "./world"

/** `idle`: nothing has been looked at yet. `polling`: over HTTP, some seconds behind. `since`: when what is shown was last known to be true. */
export type Mark =
  | { readonly kind: "idle" | "live" | "catching-up" | "polling" }
  | { readonly kind: "offline"; readonly since: number }

/** So long a lost connection is nothing to talk about. */
const OFFLINE_AFTER = 4_000

export class Freshness {
  readonly #world: World
  readonly #listeners = new Set<() => void>()
  #mark: Mark = { kind: "idle" }
  #trueAt: number
  #lostAt: number | null = null
  #cancel = () => {}

  constructor(world: World) {
    this.#world = world
    this.#trueAt = world.now()
  }

  get mark(): Mark {
    return this.#mark
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** All that is watched is known, and changes are told. */
  live(): void {
    this.#found({ kind: "live" })
  }

  /** The socket is there, and what is shown is being completed. */
  catchingUp(): void {
    this.#found({ kind: "catching-up" })
  }

  /** The state was read over HTTP. */
  polled(): void {
    this.#trueAt = this.#world.now()
    this.#found({ kind: "polling" })
  }

  /** There is no connection; what is shown was true at `trueAt`, or as was said before. */
  lost(trueAt?: number): void {
    if (this.#mark.kind === "polling") return
    if (trueAt !== undefined && this.#mark.kind === "live") this.#trueAt = trueAt
    if (this.#lostAt !== null) return
    this.#lostAt = this.#world.now()
    this.#show({ kind: "catching-up" })
    this.#cancel = this.#world.after(OFFLINE_AFTER, () => this.#show({ kind: "offline", since: this.#trueAt }))
  }

  /** The state cannot be read over HTTP either. */
  unreachable(): void {
    if (this.#mark.kind === "polling") this.#show({ kind: "offline", since: this.#trueAt })
  }

  #found(mark: Mark): void {
    this.#cancel()
    this.#lostAt = null
    this.#show(mark)
  }

  #show(mark: Mark): void {
    if (JSON.stringify(mark) === JSON.stringify(this.#mark)) return
    this.#mark = mark
    for (const listener of this.#listeners) listener()
  }
}
