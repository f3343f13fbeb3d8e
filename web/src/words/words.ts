/** The words and the locale of the page. */

import { account } from "./account"
import { bookings } from "./bookings"
import { en } from "./en"
import { refusals } from "./refusals"
import { waitlist } from "./waitlist"

export const words = { ...en, account, bookings, refusals, waitlist } as const

/** For dates, times and money. The words are English, so another language's dates would not go with them. */
export const LOCALE = preferred(globalThis.navigator?.language)

function preferred(language: string | undefined): string {
  return language?.startsWith("en") ? language : "en-GB"
}
