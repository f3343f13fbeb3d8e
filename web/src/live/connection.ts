/** The socket's life: hello, resume, pings, and coming back from whatever happens. It holds no state of the grid (that
 * is `Topics`) and touches the browser only through `World`, so that tests can play every part. */

import { digestOf, wishFor } from "./day"
import { Freshness } from "./freshness"
import { Polling } from "./polling"
import { CLOSE, type ClientMessage, type Credentials, MAX_TOPICS, nameOf, OWN, parse, type Topic } from "./protocol"
import type { Topics } from "./topics"
import type { Socket, World } from "./world"

const FIRST_RETRY = 500
const LONGEST_RETRY = 30_000
const HOPELESS_RETRY = 60_000
const HELLO_PATIENCE = 10_000
const PING_GRACE = 8_000
/** After sleep or a change of network a socket may look open and be dead: it must answer a question within this. */
const PROBE_PATIENCE = 5_000
const FAILURES_UNTIL_POLLING = 2
/** The server closes on more than 10 messages a second, and whoever leafs through the days asks for many. */
const TOPICS_PAUSE = 300
/** What is not allowed, and what we said wrong, is the same a second later. */
const HOPELESS: readonly number[] = [CLOSE.badMessage, CLOSE.forbidden, CLOSE.tooMany]

export class Connection {
  readonly freshness: Freshness
  readonly #world: World
  readonly #topics: Topics
  readonly #polling: Polling
  #state: "idle" | "connecting" | "greeting" | "welcomed" | "waiting" = "idle"
  #attempt = 0
  #failures = 0
  #socket: Socket | null = null
  #pingEvery = 25_000
  #byeAfter: number | null = null
  #heardAt = 0
  #subscribed = new Map<string, Topic>()
  /** Topics whose snap is still to come. */
  #owed = new Set<string>()
  #mismatches = new Map<string, number>()
  #flushedAt = Number.NEGATIVE_INFINITY
  #cancelRetry = () => {}
  #cancelWatch = () => {}
  #cancelFlush: (() => void) | null = null

  constructor(world: World, topics: Topics) {
    this.#world = world
    this.#topics = topics
    this.freshness = new Freshness(world)
    this.#polling = new Polling(
      world,
      () => this.#wanted(),
      snaps => {
        for (const snap of snaps ?? []) topics.takeSnap(snap)
        if (snaps) this.freshness.polled()
        else this.freshness.unreachable()
      },
    )
  }

  /** The days that are looked at have changed. */
  topicsChanged(): void {
    if (this.#topics.watched().length > 0) this.open()
    if (this.#state !== "welcomed" || this.#cancelFlush) return
    const wait = this.#flushedAt + TOPICS_PAUSE - this.#world.now()
    if (wait <= 0) this.#flushTopics()
    else this.#cancelFlush = this.#world.after(wait, () => this.#flushTopics())
  }

  /** Connect, though no day may be looked at: whoever is signed in is to be told of their own. */
  open(): void {
    if (this.#state === "idle") void this.#connect()
  }

  /** The network is back or `gone`, or the page is looked at again: find out at once how things stand. */
  wake(gone = false): void {
    if (this.#state === "waiting") void this.#connect()
    if (this.#state !== "welcomed" || this.#subscribed.size === 0) return
    if (gone) this.freshness.catchingUp() // and live when the server answers all the same
    this.#probe()
  }

  /** Begin anew, as somebody else. */
  reconnect(): void {
    if (this.#state === "idle") return
    this.freshness.lost(this.#world.now())
    this.#hangUp()
    void this.#connect()
  }

  async #connect(): Promise<void> {
    this.#cancelRetry()
    this.#state = "connecting"
    this.freshness.lost()
    const attempt = ++this.#attempt
    try {
      const credentials = await this.#world.credentials()
      if (attempt === this.#attempt) this.#greet(this.#world.open(), credentials)
    } catch {
      if (attempt === this.#attempt) this.#lost(0)
    }
  }

  #greet(socket: Socket, credentials: Credentials): void {
    this.#state = "greeting"
    this.#socket = socket
    this.#mismatches.clear()
    this.#watch(HELLO_PATIENCE)
    socket.onopen = () => {
      this.#subscribed = new Map(this.#wanted().map(topic => [nameOf(topic), topic]))
      this.#owed = new Set(this.#subscribed.keys())
      this.#say({ t: "hello", topics: this.#wishes(this.#subscribed.values()), ...credentials })
    }
    socket.onmessage = event => {
      this.#heardAt = this.#world.now()
      if (typeof event.data === "string") this.#hear(event.data)
      if (this.#state === "welcomed") this.#watch(this.#pingEvery + PING_GRACE)
    }
    socket.onclose = event => {
      this.freshness.lost(this.#world.now())
      this.#hangUp()
      this.#lost(event.code)
    }
  }

  #hear(text: string): void {
    const message = parse(text)
    switch (message?.t) {
      case "welcome":
        this.#state = "welcomed"
        this.#failures = 0
        this.#pingEvery = message.ping * 1000
        this.#polling.stop()
        this.topicsChanged()
        // Only from now on we are told.
        this.#world.changed(OWN)
        break
      case "you":
        this.#world.changed(message.what)
        break
      case "snap":
        this.#topics.takeSnap(message)
        this.#owed.delete(nameOf(message))
        break
      case "row":
        if (!this.#topics.takeRow(message, message.epoch, message.row)) this.#resync(message)
        break
      case "ping":
        this.#say({ t: "pong" })
        this.#compare(message.digest)
        break
      case "error":
        if (message.club === undefined || message.date === undefined) break
        this.#topics.refuse({ club: message.club, date: message.date }, message.code)
        this.#owed.delete(`${message.club}/${message.date}`)
        break
      case "bye":
        this.#byeAfter = message.after_ms
        break
    }
    if (this.#state === "welcomed" && this.#owed.size === 0) this.freshness.live()
    else if (this.#state === "welcomed") this.freshness.catchingUp()
  }

  #compare(digests: Readonly<Record<string, string>>): void {
    for (const [name, topic] of this.#subscribed) {
      const day = this.#topics.day(topic)
      const theirs = digests[name]
      if (!day || theirs === undefined) continue
      const mismatches = theirs === digestOf(day) ? 0 : (this.#mismatches.get(name) ?? 0) + 1
      this.#mismatches.set(name, mismatches)
      if (mismatches >= 2) this.#resync(topic)
    }
  }

  #resync(topic: Topic): void {
    const name = nameOf(topic)
    if (this.#owed.has(name)) return
    this.#mismatches.delete(name)
    this.#say({ t: "resync", topics: [{ club: topic.club, date: topic.date }] })
  }

  /** What is watched may be asked for again: the answer is short, and there is one. */
  #probe(): void {
    this.#say({ t: "sub", topics: this.#wishes(this.#subscribed.values()) })
    this.#watch(PROBE_PATIENCE)
  }

  #flushTopics(): void {
    this.#cancelFlush?.()
    this.#cancelFlush = null
    this.#flushedAt = this.#world.now()
    const wanted = new Map(this.#wanted().map(topic => [nameOf(topic), topic]))
    const gone = [...this.#subscribed].filter(([name]) => !wanted.has(name)).map(([, topic]) => topic)
    const come = [...wanted].filter(([name]) => !this.#subscribed.has(name)).map(([, topic]) => topic)
    this.#subscribed = wanted
    for (const topic of gone) this.#owed.delete(nameOf(topic))
    if (gone.length > 0) this.#say({ t: "unsub", topics: gone })
    if (come.length > 0) this.#say({ t: "sub", topics: this.#wishes(come) })
  }

  #wanted(): Topic[] {
    return this.#topics.watched().slice(-MAX_TOPICS)
  }

  #wishes(topics: Iterable<Topic>) {
    return [...topics].map(topic => wishFor(topic, this.#topics.day(topic)))
  }

  #say(message: ClientMessage): void {
    this.#socket?.send(JSON.stringify(message))
  }

  /** Take the connection for dead unless something is heard in time: a network that is gone closes nothing. */
  #watch(patience: number): void {
    this.#cancelWatch()
    this.#cancelWatch = this.#world.after(patience, () => {
      this.freshness.lost(this.#heardAt)
      this.#hangUp()
      this.#lost(0)
    })
  }

  #hangUp(): void {
    this.#attempt++
    this.#cancelWatch()
    this.#cancelRetry()
    this.#cancelFlush?.()
    this.#cancelFlush = null
    const socket = this.#socket
    this.#socket = null
    if (!socket) return
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close()
  }

  #lost(code: number): void {
    this.#state = "waiting"
    this.#failures++
    this.freshness.lost()
    if (code === CLOSE.sessionEnded || code === CLOSE.badCredential) this.#world.sessionEnded()
    const pause = HOPELESS.includes(code)
      ? HOPELESS_RETRY
      : Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** (this.#failures - 1))
    const wait = this.#byeAfter ?? pause * (0.5 + this.#world.random())
    this.#byeAfter = null
    this.#cancelRetry = this.#world.after(wait, () => void this.#connect())
    if (this.#failures >= FAILURES_UNTIL_POLLING) this.#polling.start()
  }
}
