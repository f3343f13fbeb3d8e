import { sentenceOf } from "../../ui/Notice"
import { words } from "../../words/words"

const SENTENCES = { ...words.booking.refusals, ...words.waitlist.refusals }

/** What a refusal is told in where somebody waits. */
export function sentenceFor(error: unknown): string {
  return sentenceOf(error, SENTENCES)
}
