/** One's second factor: GET and POST /api/auth/totp, /totp/confirm and /totp/off. All throw a `Problem`. */

import { queryOptions } from "@tanstack/react-query"
import { api, content } from "./client"
import type { components } from "./schema"
import { exchange } from "./session"

export type Secret = components["schemas"]["Secret"]

export const factorQuery = queryOptions({
  queryKey: ["me", "totp"],
  queryFn: async ({ signal }) => content(await api.GET("/api/auth/totp", { signal })),
})

/** A secret for an authenticator app; it counts for nothing until it is confirmed. */
export async function beginFactor(password: string): Promise<Secret> {
  return content(await api.POST("/api/auth/totp", { body: { password } }))
}

/** Turn it on with a code of the secret; the recovery codes, which nobody can be told again. All other sessions end. */
export async function confirmFactor(code: string): Promise<readonly string[]> {
  const answer = await exchange<components["schemas"]["CookieSessionAndCodes"]>("totp/confirm", { code })
  return answer.recovery_codes
}

/** Turn it off with a last code. All other sessions end. */
export async function endFactor(code: string, password: string): Promise<void> {
  await exchange("totp/off", { code, password })
}
