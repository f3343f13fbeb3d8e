import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { type Code, Problem } from "../api/problem"
import { sentenceOf } from "../ui/Notice"

/** What the server says of each code, from its own document. */
const SERVERS = [
  ...readFileSync(new URL("../api/schema.d.ts", import.meta.url), "utf8").matchAll(/- `(\w+)` \((\d{3})\): (.+)/g),
].map(([, code, status, said = ""]) => ({ code: code as Code, status: Number(status), said }))

/** Words of a protocol, not of a person. */
const TECHNICAL =
  /[`_{}]|\b(JSON|HTTP|headers?|tokens?|bod(y|ies)|requests?|method|ETag|csrf|database|application|id|host)\b|If-Match|Retry-After|Idempotency|X-/i

it("says every refusal in words of a person", () => {
  expect(SERVERS.length).toBeGreaterThan(50)
  for (const { code, status, said } of SERVERS) {
    const told = sentenceOf(new Problem(code, said, { status }))
    expect.soft(told, code).not.toMatch(TECHNICAL)
    expect.soft(told, code).toMatch(/^[A-Z].*\.$/)
  }
})

it("leaves what the server says more exactly as it is, and says what is to be mended by itself", () => {
  const begun = "This booking has begun, so it can no longer be moved."
  expect(sentenceOf(new Problem("not_movable", begun))).toBe(begun)
  const errors = [{ field: "name", detail: "Too long." }]
  expect(sentenceOf(new Problem("invalid_request", "…", { errors }))).toBe("Too long.")
  expect(sentenceOf(new Error("anything"))).toBe("The answer was not understood. Try again in a moment.")
})
