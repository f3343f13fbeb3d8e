/** What the live grid needs of its surroundings: the browser's, or a test's. Times are milliseconds since 1970. */

import type { Credentials, Snap, Topic } from "./protocol"

/** The part of a WebSocket that is used. */
export interface Socket {
  send(text: string): void
  close(): void
  onopen: ((event: Event) => void) | null
  onmessage: ((event: MessageEvent<unknown>) => void) | null
  onclose: ((event: CloseEvent) => void) | null
}

export interface World {
  /** Open a socket to `/ws/grid`; may throw where sockets are forbidden. */
  open(): Socket
  now(): number
  /** Call once after so many milliseconds, unless the function that is given back is called before. */
  after(milliseconds: number, call: () => void): () => void
  /** From 0 to 1. */
  random(): number
  /** What to say in hello about who is watching. A rejection counts as a failed connection. */
  credentials(): Promise<Credentials>
  /** `GET /api/grid`. */
  fetchDay(topic: Topic): Promise<Snap>
  /** The server says that the session which opened the socket has ended, or does not hold. */
  sessionEnded(): void
  /** These of one's own (`OWN`) have changed, or may have while nobody told us: read them again. */
  changed(what: readonly string[]): void
}
