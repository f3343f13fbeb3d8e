import { Problem } from "../../api/problem"
import { sentenceOf } from "../../ui/Notice"
import { words } from "../../words/words"

const SENTENCES: Readonly<Record<string, string>> = { ...words.booking.refusals, ...words.waitlist.refusals }

/** What a refusal is told in: every code has a sentence that says what to do; the others have the server's. */
export function sentenceFor(error: unknown): string {
  return (error instanceof Problem && SENTENCES[error.code]) || sentenceOf(error)
}
