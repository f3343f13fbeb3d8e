/** A stage for tests of the connection: a world whose time stands still, and sockets whose server is the test. */

import { Connection } from "./connection"
import type { ClientMessage, Credentials, ServerMessage, Snap, Topic } from "./protocol"
import { Topics } from "./topics"
import type { Socket, World } from "./world"

export const TOPIC: Topic = { club: "riverside", date: "2026-12-01" }

export class FakeSocket implements Socket {
  onopen: Socket["onopen"] = null
  onmessage: Socket["onmessage"] = null
  onclose: Socket["onclose"] = null
  closed = false
  readonly said: ClientMessage[] = []

  send(text: string): void {
    this.said.push(JSON.parse(text))
  }

  close(): void {
    this.closed = true
  }

  /** The server says something. */
  tell(message: ServerMessage): void {
    this.deliver(JSON.stringify(message))
  }

  /** A frame comes in. */
  deliver(data: unknown): void {
    this.onmessage?.({ data } as MessageEvent)
  }

  /** The connection ends. */
  end(code: number): void {
    this.onclose?.({ code } as CloseEvent)
  }

  /** What was said since this was asked last. */
  heard(): ClientMessage[] {
    return this.said.splice(0)
  }
}

export class Stage implements World {
  time = 1_000_000
  readonly sockets: FakeSocket[] = []
  readonly timers = new Set<{ at: number; call: () => void }>()
  ended = 0
  readonly told: string[] = []
  grid: Snap | null = null
  ticket: Credentials = {}
  readonly topics: Topics
  readonly connection: Connection

  constructor() {
    this.topics = new Topics(() => this.connection.topicsChanged())
    this.connection = new Connection(this, this.topics)
  }

  open(): Socket {
    const socket = new FakeSocket()
    this.sockets.push(socket)
    return socket
  }

  now(): number {
    return this.time
  }

  after(milliseconds: number, call: () => void): () => void {
    const timer = { at: this.time + milliseconds, call }
    this.timers.add(timer)
    return () => this.timers.delete(timer)
  }

  random(): number {
    return 0.5
  }

  async credentials(): Promise<Credentials> {
    return this.ticket
  }

  async fetchDay(): Promise<Snap> {
    if (!this.grid) throw new Error("the network is away")
    return this.grid
  }

  sessionEnded(): void {
    this.ended++
  }

  changed(what: readonly string[]): void {
    this.told.push(...what)
  }

  get mark() {
    return this.connection.freshness.mark
  }

  get socket(): FakeSocket {
    const last = this.sockets.at(-1)
    if (!last) throw new Error("no socket was opened")
    return last
  }

  /** Let time pass, and whatever is due then happen. */
  async pass(milliseconds: number): Promise<void> {
    const until = this.time + milliseconds
    for (;;) {
      await settled()
      const due = [...this.timers].filter(timer => timer.at <= until).sort((one, other) => one.at - other.at)[0]
      if (!due) break
      this.timers.delete(due)
      this.time = Math.max(this.time, due.at)
      due.call()
    }
    this.time = until
    await settled()
  }

  /** The newest socket opens, is welcomed and gets the snaps of what it asked for. */
  async welcome(...snaps: Snap[]): Promise<FakeSocket> {
    await settled()
    this.socket.onopen?.({} as Event)
    this.socket.tell({ t: "welcome", sid: "s", ping: 25 })
    for (const snap of snaps) this.socket.tell({ t: "snap", ...snap })
    return this.socket
  }
}

export function snap(versions: Record<number, number>, more: Partial<Snap> = {}): Snap {
  const rows = Object.entries(versions).map(([court, v]) => ({ court: Number(court), v, cells: [] }))
  return { ...TOPIC, epoch: "one", config: 1, open: [], rows, full: true, ...more }
}

/** A stage on which a day is watched, and nothing heard yet of what follows. */
export async function watching(versions = { 1: 4, 2: 0 }) {
  const stage = new Stage()
  const leave = stage.topics.watch(TOPIC)
  const socket = await stage.welcome(snap(versions))
  socket.heard()
  return { stage, socket, leave }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
}
