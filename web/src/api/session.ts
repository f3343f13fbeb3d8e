/**
 * Who is signed in, in this tab and all others. The tokens are in cookies that no script can read; what is kept here is
 * who it is, the CSRF token and when the access token expires.
 */

import { API } from "./address"
import { Problem, problemOf } from "./problem"
import type { components } from "./schema"

export type User = components["schemas"]["User"]

export interface Session {
  readonly user: User
  readonly csrf: string
  /** When the access token expires, in milliseconds since 1970. */
  readonly expires: number
}

const KEY = "courtside.session"
/** Renew a little early: clocks differ, and requests take time. */
const MARGIN = 30_000
/** A network that is gone answers nothing, and nobody waits for ever. The server itself answers within seconds. */
const PATIENCE = 20_000

const listeners = new Set<() => void>()
let current = read()
let renewing: Promise<void> | null = null
let ended = false

// Another tab has signed in, out, or renewed.
addEventListener("storage", event => {
  if (event.key === KEY || event.key === null) change(read())
})

/** The session, or null if nobody is signed in. */
export function session(): Session | null {
  return current
}

/** Whether the last session was ended by the server: it was revoked, or expired. */
export function hasEnded(): boolean {
  return ended
}

export function onSession(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Sign in; `totp` is the code of a second factor. Throws a `Problem`: `totp_required` where it is to be sent too. */
export async function signIn(email: string, password: string, totp?: string): Promise<void> {
  await begin("login", { email, password, cookies: true, ...(totp ? { totp } : {}) })
}

/** Sign out, in all tabs of this browser; `everywhere`, on all devices. */
export async function signOut({ everywhere = false } = {}): Promise<void> {
  const response = await authorized(`${API}/api/auth/logout`, json({ everywhere }))
  // Whoever is not signed in any more is signed out.
  if (response.ok || response.status === 401) keep(null)
  else throw await problemOf(response)
}

/** Change the password; all other sessions end. */
export async function changePassword(oldPassword: string, newPassword: string): Promise<void> {
  await exchange("password", { old_password: oldPassword, new_password: newPassword })
}

/** Ask for what ends all sessions and answers with a new one; gives the answer. Throws a `Problem`. */
export async function exchange<T extends components["schemas"]["CookieSession"]>(
  path: string,
  body: unknown,
): Promise<T> {
  const response = await authorized(`${API}/api/auth/${path}`, json(body))
  if (!response.ok) throw await problemOf(response)
  const answer: T = await response.json()
  take(answer)
  return answer
}

/** Find out whether the session still holds, as when the server has closed the socket that it opened. */
export async function checkSession(): Promise<void> {
  if (current) await authorized(`${API}/api/auth/me`, {})
}

/** Renew the session if it has expired, before its cookies are used without `authorized`. */
export async function keepFresh(): Promise<void> {
  if (current && current.expires - MARGIN < Date.now()) await renew(current)
}

/** `fetch` with the session's cookies and CSRF token. Renews the session before or after it expires, once for all. */
export async function authorized(address: string, init: RequestInit): Promise<Response> {
  await keepFresh()
  const used = current
  const response = await send(address, init, used)
  if (response.status !== 401 || !used || (await isAboutSomethingElse(response))) return response
  await renew(used)
  return current ? send(address, init, current) : response
}

/** A wrong password or code is refused with 401 too, and must not be tried twice. */
async function isAboutSomethingElse(response: Response): Promise<boolean> {
  return ["bad_credentials", "totp_wrong"].includes((await problemOf(response.clone())).code)
}

/** Exchange the refresh token, unless somebody did so meanwhile. Nobody is signed in any more if it does not hold. */
async function renew(stale: Session): Promise<void> {
  const refresh = async () => {
    change(read())
    if (!current || current.expires > stale.expires) return
    const response = await send(`${API}/api/auth/refresh`, json(null), current)
    if (response.ok) take(await response.json())
    else if (response.status === 401 || response.status === 403) {
      ended = true
      keep(null)
    } else throw await problemOf(response)
  }
  // Without locks (a page without TLS) tabs may renew at once; the server grants that for some seconds.
  renewing ??= exclusively(refresh).finally(() => {
    renewing = null
  })
  await renewing
}

async function exclusively(call: () => Promise<void>): Promise<void> {
  await (navigator.locks ? navigator.locks.request(KEY, call) : call())
}

async function send(address: string, init: RequestInit, as: Session | null): Promise<Response> {
  const headers = new Headers(init.headers)
  if (as) headers.set("X-CSRF-Token", as.csrf)
  const ends = new AbortController()
  const end = () => ends.abort()
  const timer = setTimeout(end, PATIENCE)
  init.signal?.addEventListener("abort", end)
  try {
    init.signal?.throwIfAborted()
    return await fetch(address, { ...init, headers, credentials: "include", signal: ends.signal })
  } catch (cause) {
    if (init.signal?.aborted) throw cause
    throw new Problem("unreachable", "The server cannot be reached.", { cause })
  } finally {
    clearTimeout(timer)
    init.signal?.removeEventListener("abort", end)
  }
}

function json(body: unknown): RequestInit {
  const content = body === null ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }
  return { method: "POST", ...content }
}

async function begin(path: string, body: unknown): Promise<void> {
  const response = await send(`${API}/api/auth/${path}`, json(body), null)
  if (!response.ok) throw await problemOf(response)
  take(await response.json())
}

function take(answer: components["schemas"]["CookieSession"]): void {
  keep({ user: answer.user, csrf: answer.csrf_token, expires: Date.now() + answer.expires_in * 1000 })
}

function keep(next: Session | null): void {
  try {
    if (next) localStorage.setItem(KEY, JSON.stringify(next))
    else localStorage.removeItem(KEY)
  } catch {
    // Storage is full or forbidden: the session lasts as long as the page.
  }
  change(next)
}

function change(next: Session | null): void {
  if (JSON.stringify(next) === JSON.stringify(current)) return
  current = next
  if (next) ended = false
  for (const listener of listeners) listener()
}

function read(): Session | null {
  try {
    const kept = localStorage.getItem(KEY)
    return kept ? (JSON.parse(kept) as Session) : null
  } catch {
    return null
  }
}
