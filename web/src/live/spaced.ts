/** Calls that come together are one, and there is a pause between two: a busy evening changes something every moment. */

/** What comes within it is one call. */
const TOGETHER = 300
/** Between two calls: at the end of each stands a question to the server, which counts a person's. */
const PAUSE = 3000

export interface Spaced {
  /** Have it called soon. */
  readonly ask: () => void
  /** Forget what was asked for. */
  readonly stop: () => void
}

/** A way to have `call` called soon after it is asked for, however often that is. */
export function spaced(call: () => void): Spaced {
  let timer: ReturnType<typeof setTimeout> | undefined
  let last = -PAUSE
  return {
    ask() {
      timer ??= setTimeout(
        () => {
          timer = undefined
          last = performance.now()
          call()
        },
        Math.max(TOGETHER, last + PAUSE - performance.now()),
      )
    },
    stop() {
      clearTimeout(timer)
      timer = undefined
    },
  }
}
