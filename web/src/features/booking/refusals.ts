/** What a refused booking is told in. Every code has a sentence that says what to do; the others have the server's. */

import { Problem } from "../../api/problem"
import { sentenceOf } from "../../ui/Notice"
import { words } from "../../words/words"

const SENTENCES: Readonly<Record<string, string>> = words.booking.refusals

export function codeOf(error: unknown): string | null {
  return error instanceof Problem ? error.code : null
}

export function sentenceFor(error: unknown): string {
  return SENTENCES[codeOf(error) ?? ""] ?? sentenceOf(error)
}
