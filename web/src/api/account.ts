/** One's own account: GET /api/auth/me, POST /api/auth/register, /verify, /forgot and /reset. All throw a `Problem`. */

import { queryOptions } from "@tanstack/react-query"
import { api, content } from "./client"
import { checkSession } from "./session"

/** What the server knows of whoever is signed in, as whether the address is confirmed. */
export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: async ({ signal }) => content(await api.GET("/api/auth/me", { signal })),
})

/** Make an account; the answer is the same whether or not the address is known. */
export async function register(email: string, password: string, name: string): Promise<void> {
  await api.POST("/api/auth/register", { body: { email, password, name } })
}

/** Confirm an address with the token of a mailed link. */
export async function verifyAddress(token: string): Promise<void> {
  await api.POST("/api/auth/verify", { body: { token } })
}

/** Have the link mailed again that confirms one's own address. */
export async function resendConfirmation(): Promise<void> {
  await api.POST("/api/auth/verify/resend")
}

/** Ask for a link to set a new password; the answer is the same whether or not the address is known. */
export async function forgotPassword(email: string): Promise<void> {
  await api.POST("/api/auth/forgot", { body: { email } })
}

/** Set a new password with the token of a mailed link. All sessions end, this browser's too if it is the same person. */
export async function resetPassword(token: string, password: string): Promise<void> {
  await api.POST("/api/auth/reset", { body: { token, password } })
  await checkSession().catch(() => undefined)
}
