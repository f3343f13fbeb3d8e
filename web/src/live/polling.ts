/** Asking over HTTP while there is no socket: some networks let none through. */

import type { Snap, Topic } from "./protocol"
import type { World } from "./world"

const EVERY = 5_000

export class Polling {
  readonly #world: World
  readonly #topics: () => Topic[]
  readonly #report: (snaps: Snap[] | null) => void
  #round = 0
  #cancel = () => {}
  #running = false

  /** `report` gets the days, or null where they could not be had. */
  constructor(world: World, topics: () => Topic[], report: (snaps: Snap[] | null) => void) {
    this.#world = world
    this.#topics = topics
    this.#report = report
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    void this.#ask(++this.#round)
  }

  stop(): void {
    this.#running = false
    this.#round++
    this.#cancel()
  }

  async #ask(round: number): Promise<void> {
    const snaps = await Promise.all(this.#topics().map(topic => this.#world.fetchDay(topic))).catch(() => null)
    if (round !== this.#round) return
    this.#report(snaps)
    this.#cancel = this.#world.after(EVERY, () => void this.#ask(round))
  }
}
