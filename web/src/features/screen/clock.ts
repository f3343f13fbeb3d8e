/** The server's time, carried on by the monotonic clock: somebody may set the device's clock, the screen does not care. */

const JUMP = 2_000

export class ServerClock {
  #base: number
  #device = deviceBase()

  /** `offset`: how much the server was ahead of the device when last heard of. */
  constructor(offset: number) {
    this.#base = this.#device + offset
  }

  now(): number {
    return this.#base + performance.now()
  }

  /** The server says that it is `instant`; gives how much it is ahead of the device's clock. */
  set(instant: number): number {
    this.#base = instant - performance.now()
    this.#device = deviceBase()
    return this.#base - this.#device
  }

  /** Whether the device's clock has jumped since last asked: it was set, or the device slept and no clock ran. */
  jumped(): boolean {
    const before = this.#device
    this.#device = deviceBase()
    return Math.abs(this.#device - before) > JUMP
  }
}

function deviceBase(): number {
  return Date.now() - performance.now()
}
