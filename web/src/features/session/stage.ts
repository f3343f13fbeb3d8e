/** A stage for tests of the session: tabs of one browser, with its storage, locks and cookies; the test is the server. */

import { vi } from "vitest"

export interface Tab {
  readonly session: typeof import("../../api/session")
  /** Asks for something that needs a session; gives "ok", or throws a `Problem`. */
  ask(): Promise<string>
}

/** The server's side: cookies as the browser keeps them, and refresh tokens that are good once. */
export class Server {
  /** The paths that were asked for, in order. */
  readonly asked: string[] = []
  /** Renewals wait until this is settled. */
  gate: Promise<void> = Promise.resolve()
  away = false
  #access = { cookie: 0, valid: 0 }
  #refresh = { cookie: 0, spent: new Set<number>(), revoked: false }

  /** No access token that was handed out holds any more. */
  expire(): void {
    this.#access.valid++
  }

  /** The session is over: its refresh token was used by somebody else, or it was ended on another device. */
  revoke(): void {
    this.expire()
    this.#refresh.revoked = true
  }

  renewals(): number {
    return this.asked.filter(path => path === "/api/auth/refresh").length
  }

  async answer(address: string, init: RequestInit): Promise<Response> {
    const { pathname } = new URL(address)
    const sent = { access: this.#access.cookie, refresh: this.#refresh.cookie }
    this.asked.push(pathname)
    if (pathname === "/api/auth/login") return this.#handOut()
    if (new Headers(init.headers).get("X-CSRF-Token") !== "csrf") return refusal(403, "csrf_failed")
    if (pathname === "/api/auth/refresh") {
      await this.gate
      if (this.away) throw new TypeError("Failed to fetch")
      if (this.#refresh.revoked || this.#refresh.spent.has(sent.refresh)) return refusal(401, "unauthenticated")
      this.#refresh.spent.add(sent.refresh)
      return this.#handOut()
    }
    if (sent.access !== this.#access.valid) return refusal(401, "unauthenticated")
    if (pathname === "/api/auth/password") return refusal(401, "bad_credentials")
    if (pathname === "/api/auth/totp/off") return refusal(401, "totp_wrong")
    return pathname === "/api/auth/logout"
      ? new Response(null, { status: 204 })
      : Response.json({ items: [], next: null })
  }

  #handOut(): Response {
    this.#access.cookie = this.#access.valid
    this.#refresh.cookie++
    const user = { id: 1, email: "player@courtside.example", name: "Pia", role: "player" }
    return Response.json({ user, csrf_token: "csrf", expires_in: 900 })
  }
}

function refusal(status: number, code: string): Response {
  const detail = "This session has ended. Log in again."
  return Response.json({ type: `/problems/${code}`, title: detail, status, detail, code }, { status })
}

/** A browser at the server. `locks`: whether it has them; a page without TLS has none. */
export class Browser {
  readonly #kept = new Map<string, string>()
  readonly #listeners: ((event: { key: string }) => void)[] = []

  constructor(server: Server, { locks = true } = {}) {
    vi.stubGlobal("fetch", (address: string, init: RequestInit) => server.answer(address, init))
    vi.stubGlobal("location", { origin: "http://club.example" })
    vi.stubGlobal("document", { querySelector: () => null })
    vi.stubGlobal("addEventListener", (_: string, listener: (event: { key: string }) => void) => {
      this.#listeners.push(listener)
    })
    vi.stubGlobal("localStorage", {
      getItem: (key: string) => this.#kept.get(key) ?? null,
      setItem: (key: string, value: string) => this.#write(key, value),
      removeItem: (key: string) => this.#write(key, null),
    })
    let last: Promise<unknown> = Promise.resolve()
    const request = (_: string, call: () => Promise<void>) => {
      const mine = last.then(call)
      last = mine.catch(() => undefined)
      return mine
    }
    vi.stubGlobal("navigator", locks ? { locks: { request } } : {})
  }

  /** Open the page in a tab: its scripts are its own. */
  async open(): Promise<Tab> {
    vi.resetModules()
    const session = await import("../../api/session")
    const { api } = await import("../../api/client")
    return { session, ask: async () => (await api.GET("/api/bookings")) && "ok" }
  }

  /** The writer hears of it too, which real ones do not: it knows already, so nothing changes. */
  #write(key: string, value: string | null): void {
    if (value === null) this.#kept.delete(key)
    else this.#kept.set(key, value)
    for (const listener of this.#listeners) listener({ key })
  }
}
