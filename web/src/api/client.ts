/** The API, typed by the server's own document: `api.GET("/api/courts", …)`. Refusals are thrown as `Problem`. */

import createClient, { type Middleware } from "openapi-fetch"
import { API } from "./address"
import { hearTime } from "./clock"
import { problemOf } from "./problem"
import type { paths } from "./schema"
import { authorized } from "./session"

const refusals: Middleware = {
  async onResponse({ response }) {
    hearTime(response)
    if (!response.ok) throw await problemOf(response)
  },
}

export const api = createClient<paths>({
  baseUrl: API,
  // The body as text, so that it can be sent a second time after the session was renewed.
  fetch: async request =>
    authorized(request.url, {
      method: request.method,
      headers: request.headers,
      signal: request.signal,
      ...(request.body ? { body: await request.text() } : {}),
    }),
})

api.use(refusals)

/** What an answer that is not a refusal carries. */
export function content<T>(answer: { data?: T }): T {
  return answer.data as T
}
