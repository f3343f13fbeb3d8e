/** Where somebody comes back to after signing in, also by way of making an account or of a mail. */

import { useLocation, useSearch } from "wouter"

const KEY = "courtside.next"
/** After so long nobody remembers what they were about. */
const KEPT = 3_600_000

/** Whoever signs in there has done what they came for: it is left for where they were before. */
const ON_THE_WAY = ["/login", "/register", "/forgot", "/reset", "/verify"]

/** The way to sign in and back to where one is. */
export function useSignIn(): string {
  const [path] = useLocation()
  const search = useSearch()
  if (ON_THE_WAY.includes(path)) return withNext("/login", new URLSearchParams(search).get("next"))
  const here = search ? `${path}?${search}` : path
  return withNext("/login", here === "/" ? null : here)
}

/** An address that carries on where to come back to. */
export function withNext(address: string, next: string | null): string {
  return next === null ? address : `${address}?next=${encodeURIComponent(next)}`
}

/** A mail is opened in another window, which knows nothing of this one: remember here where to go on. */
export function keepNext(next: string | null): void {
  try {
    if (next !== null) localStorage.setItem(KEY, JSON.stringify({ next, at: Date.now() }))
  } catch {
    // Storage is full or forbidden: one finds the court again.
  }
}

/** Where to go on, by the address or by what was kept; a path of this page, since anything else could lead away. */
export function takeNext(given: string | null): string {
  const next = given ?? kept()
  try {
    localStorage.removeItem(KEY)
  } catch {
    // Storage is forbidden, so nothing is there.
  }
  return next !== null && /^\/(?![/\\])/.test(next) ? next : "/"
}

function kept(): string | null {
  try {
    const { next, at } = JSON.parse(localStorage.getItem(KEY) ?? "") as { next: string; at: number }
    return Date.now() - at < KEPT ? next : null
  } catch {
    return null
  }
}
