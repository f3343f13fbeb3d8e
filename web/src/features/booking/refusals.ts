/** What a refused booking is told in, where that is not what is said anywhere. */

import { Problem } from "../../api/problem"
import { sentenceOf } from "../../ui/Notice"
import { words } from "../../words/words"

export function codeOf(error: unknown): string | null {
  return error instanceof Problem ? error.code : null
}

export function sentenceFor(error: unknown): string {
  return sentenceOf(error, words.booking.refusals)
}
