/** What the server refuses with: a problem document (RFC 9457), as an error that is thrown. */

import type { components } from "./schema"

export type Code = components["schemas"]["ProblemCode"]
export type FieldError = components["schemas"]["FieldError"]

/** `unreachable`: no answer came. `unreadable`: one came that is not the API's, as of a hotel's wifi. */
export class Problem extends Error {
  readonly code: Code | "unreachable" | "unreadable"
  readonly status: number
  readonly errors: readonly FieldError[]
  /** Seconds to wait before the next try, where the server says so. */
  readonly retryAfter: number | null

  constructor(
    code: Problem["code"],
    detail: string,
    more: { status?: number; errors?: readonly FieldError[]; retryAfter?: number | null; cause?: unknown } = {},
  ) {
    super(detail, { cause: more.cause })
    this.name = "Problem"
    this.code = code
    this.status = more.status ?? 0
    this.errors = more.errors ?? []
    this.retryAfter = more.retryAfter ?? null
  }
}

/** The problem that an answer carries. */
export async function problemOf(response: Response): Promise<Problem> {
  const wait = Number(response.headers.get("Retry-After") ?? Number.NaN)
  const more = { status: response.status, retryAfter: Number.isFinite(wait) ? wait : null }
  try {
    const document: components["schemas"]["Problem"] = await response.json()
    if (typeof document.code !== "string") throw new TypeError("no code")
    return new Problem(document.code, document.detail, { ...more, errors: document.errors ?? [] })
  } catch (cause) {
    return new Problem("unreadable", `The answer was ${response.status}.`, { ...more, cause })
  }
}
