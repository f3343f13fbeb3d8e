/** The messages of `/ws/grid`, as docs/live-protocol.md says. Tags and fields that are not known are passed over. */

export interface Topic {
  readonly club: string
  /** A local day of the club, `2026-12-01`. */
  readonly date: string
}

export interface Cell {
  readonly s: string
  readonly e: string
  readonly k: "booked" | "held" | "closed" | "coaching"
  /** Opaque; the owner of a booking finds it there as `grid_ref`. */
  readonly ref?: string | null
  readonly until?: string | null
  readonly reason?: string | null
}

/** One court's whole day. */
export interface Row {
  readonly court: number
  readonly v: number
  readonly cells: readonly Cell[]
}

/** A day as `snap` and `GET /api/grid` tell it. */
export interface Snap extends Topic {
  readonly epoch: string
  readonly config: number
  readonly open: readonly (readonly [string, string])[]
  readonly rows: readonly Row[]
  readonly full: boolean
}

export type ServerMessage =
  | { readonly t: "welcome"; readonly sid: string; readonly ping: number }
  | (Snap & { readonly t: "snap" })
  | (Topic & { readonly t: "row"; readonly epoch: string; readonly row: Row })
  | { readonly t: "ping"; readonly digest: Readonly<Record<string, string>> }
  | {
      readonly t: "error"
      readonly code: string
      readonly detail: string
      readonly club?: string
      readonly date?: string
    }
  | { readonly t: "you"; readonly what: readonly string[] }
  | { readonly t: "bye"; readonly code: number; readonly after_ms: number }

export interface Wish extends Topic {
  readonly epoch?: string
  readonly have?: Readonly<Record<string, number>>
}

export type ClientMessage =
  | ({ readonly t: "hello"; readonly topics: readonly Wish[] } & Credentials)
  | { readonly t: "sub" | "unsub" | "resync"; readonly topics: readonly Wish[] }
  | { readonly t: "pong" }

/** What a hello carries to say who is watching. */
export interface Credentials {
  readonly ticket?: string
  /** Whether to be told what of one's own has changed. */
  readonly you?: boolean
}

export const SUBPROTOCOL = "courtside.v1.json"
export const MAX_TOPICS = 16
/** What may be told of in `you`. */
export const OWN = ["bookings", "waitlist"] as const

export const CLOSE = {
  goingAway: 4001,
  sessionEnded: 4009,
  badCredential: 4500,
  badMessage: 4501,
  forbidden: 4503,
  tooMany: 4505,
} as const

const KNOWN = new Set(["welcome", "snap", "row", "ping", "error", "you", "bye"])

/** Read a frame; null for what this version does not know. */
export function parse(text: string): ServerMessage | null {
  try {
    const message: unknown = JSON.parse(text)
    if (typeof message !== "object" || message === null || !("t" in message)) return null
    return KNOWN.has(String(message.t)) ? (message as ServerMessage) : null
  } catch {
    return null
  }
}

/** How a topic is called in digests, and in our maps. */
export function nameOf(topic: Topic): string {
  return `${topic.club}/${topic.date}`
}
