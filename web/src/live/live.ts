/** The live grid in a browser: one connection for the page, and the days that its parts look at. */

import { Connection } from "./connection"
import { type Credentials, type Snap, SUBPROTOCOL, type Topic } from "./protocol"
import { Topics } from "./topics"
import type { World } from "./world"

export interface Live {
  readonly topics: Topics
  readonly connection: Connection
}

export interface Neighbours {
  /** The address of `/ws/grid`. */
  readonly url: string
  fetchDay(topic: Topic): Promise<Snap>
  credentials(): Promise<Credentials>
  sessionEnded(): void
  changed(what: readonly string[]): void
}

/** Make it; the socket is opened when the first day is looked at. */
export function createLive(neighbours: Neighbours): Live {
  const world: World = {
    open: () => new WebSocket(neighbours.url, SUBPROTOCOL),
    now: () => Date.now(),
    after: (milliseconds, call) => {
      const timer = setTimeout(call, milliseconds)
      return () => clearTimeout(timer)
    },
    random: () => Math.random(),
    fetchDay: neighbours.fetchDay,
    credentials: neighbours.credentials,
    sessionEnded: neighbours.sessionEnded,
    changed: neighbours.changed,
  }
  const topics: Topics = new Topics(() => connection.topicsChanged())
  const connection = new Connection(world, topics)
  const wake = () => {
    if (document.visibilityState === "visible") connection.wake()
  }
  addEventListener("online", wake)
  addEventListener("offline", () => connection.wake(true))
  addEventListener("pageshow", wake)
  document.addEventListener("visibilitychange", wake)
  return { topics, connection }
}
