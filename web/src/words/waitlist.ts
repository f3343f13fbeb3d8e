/** What the page says about waiting for a court, and about offers. */

const ENDINGS: Readonly<Record<string, string>> = { one: "st", two: "nd", few: "rd", other: "th" }
const ordinals = new Intl.PluralRules("en", { type: "ordinal" })

/** "1st", "2nd", "23rd" */
export function ordinal(count: number): string {
  return `${count}${ENDINGS[ordinals.select(count)] ?? "th"}`
}

export const waitlist = {
  title: "Waiting for",
  region: "Waitlist",
  instead: "Or wait for it",
  taken: "That court is taken at that time.",
  heldTaken: "That court is held for somebody who waited for it.",
  heldUntil: (time: string) => `That court is held until ${time} for somebody who waited for it.`,
  closed: (reason: string | null) =>
    `That court is closed then${reason ? `: ${reason}` : ""}. If it opens again, it goes to whoever is waiting for it.`,
  yours: "That court is yours at that time.",
  join: "Join the waitlist",
  joinAs: (place: number) => `Join the waitlist (you would be ${ordinal(place)})`,
  /** Above the button, which may stand beside other courts that are free. */
  joins: (what: string) => `Waitlist: ${what}`,
  joining: "Joining…",
  signIn: "Sign in to join the waitlist",
  which: "Wait for",
  anyOf: (kind: string) => `Any ${kind} court`,
  fate: "When it becomes free",
  offer: (minutes: number) => `Offer it to me: I have ${minutes} minutes to decide`,
  book: "Book it for me at once",
  cap: (currency: string) => `At most (${currency})`,
  until: "Stop waiting",
  untils: {
    0: "when it starts",
    60: "an hour before",
    180: "3 hours before",
    720: "12 hours before",
    1440: "a day before",
  },
  joinedTitle: "On the waitlist",
  joined: (place: number, what: string) => `You are ${ordinal(place)} in line: ${what}.`,
  joinedOffer:
    "When it is your turn, the court is held for you. We tell you here and by e-mail, and you take it or leave it.",
  joinedBook: "When it is your turn, the court is booked for you. We tell you here and by e-mail.",
  toWaitlist: "See my waitlist",
  placeShort: ordinal,
  place: (place: number) => `${ordinal(place)} in line`,
  waits: (place: number) => `You are waiting for this: ${ordinal(place)} in line.`,
  held: "It is your turn: it is being held for you",
  books: (price: string) => `booked at once, for ${price} at most`,
  booksAnyway: "booked at once",
  offers: "offered to you when it becomes free",
  wantedUntil: (moment: string) => `until ${moment}`,
  leave: "Leave the waitlist",
  left: (what: string) => `You are no longer waiting: ${what}.`,
  turn: "It is your turn",
  turnSaid: (what: string, time: string) => `It is your turn: ${what}. Held for you until ${time}.`,
  heldFor: (time: string) => `Held for you until ${time}`,
  remaining: (clock: string) => `${clock} left`,
  over: "Time is up",
  claim: (price: string) => `Book it · ${price}`,
  claiming: "Booking…",
  decline: "No, thanks",
  claimed: (what: string) => `It is yours: ${what}.`,
  promoted: (what: string) => `It was your turn, and it is booked for you: ${what}.`,
  expired: "This offer has expired. You can wait again, or choose another time.",
  missed: (what: string) => `The offer has expired: ${what}.`,
  close: "Close",
  refusals: {
    slot_free: "It has just become free. Book it now.",
    already_waiting: "You are already waiting for this.",
    waits_too_often: "You are waiting for as many courts as the club allows. Leave one of the waitlists first.",
    too_late: "It starts too soon to wait for it.",
    not_offered: "It is not offered to you yet. Wait a moment.",
    own_clash: "You have another booking at that time. Cancel or move it first: the offer stands until its time is up.",
    price_changed: "The price has changed since it was offered. Check the new price, then book it if you agree.",
    quota_exceeded:
      "You have as many bookings as the club allows at a time. Cancel one first: the offer stands until then.",
    slot_taken: "Somebody has that court now.",
  },
} as const
