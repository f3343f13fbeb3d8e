/** A screen's life: paired or public, its clock, and coming back from whatever happens. */

import { useEffect, useState } from "react"
import { SOCKET } from "../../api/address"
import { Problem } from "../../api/problem"
import { askForToken, beginPairing, fetchDayAs, fetchPublicClub, fetchScreen } from "../../api/screen"
import { createLive, type Live } from "../../live/live"
import { ServerClock } from "./clock"
import { lookForNewPage, serveCopy } from "./copy"
import { forget, recall, remember, type Shown } from "./memory"

const BEAT = 60_000
const RETRY = 5_000
const TICK = 1_000

/** `pairing.code` is null while there is none to show. */
export type State =
  | { readonly kind: "starting" }
  | { readonly kind: "pairing"; readonly code: string | null; readonly ended: boolean }
  | { readonly kind: "showing"; readonly shown: Shown }

export class ScreenLife {
  readonly clock: ServerClock
  readonly live: Live
  readonly #club: string
  readonly #tell: (state: State) => void
  #stopped = false
  #timer = 0
  #ticker = 0
  #beating = false
  /** Whether something happened during a beat, which may have looked too early to see it. */
  #again = false
  #missed = false

  constructor(club: string, tell: (state: State) => void) {
    this.#club = club
    this.#tell = tell
    this.clock = new ServerClock(recall(club).offset)
    this.live = createLive({
      url: SOCKET,
      fetchDay: topic => fetchDayAs(recall(club).token, topic),
      credentials: async () => {
        const { token } = recall(club)
        return token === null ? {} : { ticket: token }
      },
      sessionEnded: () => void this.#beat(),
      changed: () => {}, // a screen has nothing of its own
    })
  }

  start(): void {
    this.#stopped = false
    serveCopy()
    const { shown, ended } = recall(this.#club)
    if (ended) void this.#pair()
    else {
      if (shown) this.#tell({ kind: "showing", shown })
      void this.#beat()
    }
    addEventListener("online", this.#wake)
    document.addEventListener("visibilitychange", this.#wake)
    this.#ticker = window.setInterval(() => {
      if (this.clock.jumped()) this.#wake()
    }, TICK)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    clearInterval(this.#ticker)
    removeEventListener("online", this.#wake)
    document.removeEventListener("visibilitychange", this.#wake)
  }

  readonly #wake = () => {
    this.live.connection.wake()
    void this.#beat()
  }

  /** Learn what to show and what time it is, once a minute and whenever something may have happened. */
  async #beat(): Promise<void> {
    if (this.#beating) this.#again = true
    if (this.#beating || this.#stopped) return
    this.#beating = true
    this.#again = false
    clearTimeout(this.#timer)
    const { token, ended } = recall(this.#club)
    let next: number | null = BEAT
    try {
      if (token !== null) await this.#learn(token)
      else if (ended || !(await this.#isPublic())) next = null
      const date = await lookForNewPage()
      if (token === null && date !== null) this.#setClock(date)
    } catch (problem) {
      if (problem instanceof Problem && problem.status === 401) {
        forget(this.#club)
        next = null
      } else next = RETRY
    }
    this.#beating = false
    if (this.#stopped) return
    // Who was away and is heard again may be asked for the live grid at once.
    if (next === BEAT && this.#missed) this.live.connection.wake()
    this.#missed = next === RETRY
    if (next === null) void this.#pair()
    else this.#timer = window.setTimeout(() => void this.#beat(), this.#again ? 0 : next)
  }

  async #learn(token: string): Promise<void> {
    const me = await fetchScreen(token)
    this.#setClock(Date.parse(me.now))
    this.#show({ name: me.name, clubName: me.club.name, zone: me.club.zone, courtIds: me.court_ids })
  }

  /** A public club's grid is shown at once; `?pair` asks for a code all the same. */
  async #isPublic(): Promise<boolean> {
    if (new URLSearchParams(location.search).has("pair")) return false
    const club = await fetchPublicClub(this.#club)
    if (club) this.#show({ name: null, clubName: club.name, zone: club.zone, courtIds: null })
    return club !== null
  }

  #setClock(instant: number): void {
    remember(this.#club, { offset: this.clock.set(instant) })
  }

  #show(shown: Shown): void {
    remember(this.#club, { shown })
    if (!this.#stopped) this.#tell({ kind: "showing", shown })
  }

  /** Show codes until staff have approved one. */
  async #pair(): Promise<void> {
    if (this.#beating) return
    this.#beating = true
    const { ended } = recall(this.#club)
    while (!this.#stopped) {
      this.#tell({ kind: "pairing", code: null, ended })
      const token = await this.#askOneCode(ended).catch(() => null)
      if (token !== null) {
        remember(this.#club, { token, ended: false })
        this.live.connection.reconnect()
        break
      }
      await pause(RETRY)
    }
    this.#beating = false
    void this.#beat()
  }

  async #askOneCode(ended: boolean): Promise<string | null> {
    const pairing = await beginPairing()
    if (!this.#stopped) this.#tell({ kind: "pairing", code: pairing.code, ended })
    while (!this.#stopped) {
      await pause(pairing.interval * 1000)
      try {
        const token = await askForToken(pairing)
        if (token !== null) return token
      } catch (problem) {
        // The code holds for ten minutes, also over a server that starts anew meanwhile.
        if (problem instanceof Problem && [410, 400, 404, 422].includes(problem.status)) return null
      }
    }
    return null
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}

/** The screen of this club. */
export function useScreen(club: string): { state: State; life: ScreenLife } {
  const [state, tell] = useState<State>({ kind: "starting" })
  const [life] = useState(() => new ScreenLife(club, tell))
  useEffect(() => {
    life.start()
    return () => life.stop()
  }, [life])
  return { state, life }
}
