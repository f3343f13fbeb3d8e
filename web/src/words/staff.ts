/** What the page says to staff: a part of the words that only the staff's pages fetch. */

import { auditWords } from "./audit"
import { atDesk, today } from "./desk"
import { lineWords } from "./line"
import { outboxWords } from "./outbox"
import { coachesWords, courtsWords, peopleWords } from "./people"
import { equipmentWords, pricesWords } from "./prices"
import { usageWords } from "./reports"
import { rulesWords } from "./rules"
import { screensWords } from "./screens"
import { closuresWords, datesWords, hours, listing } from "./setup"

export const staff = {
  menu: "Staff pages",
  only: "This page is for the club's staff. Sign in with a staff account to use it.",
  signIn: "Sign in",
  changedMeanwhile:
    "Somebody else has changed this in the meantime. This is how it is now: check it, then make your change again.",
  today,
  atDesk,
  line: lineWords,
  listing,
  closures: closuresWords,
  hours,
  dates: datesWords,
  courts: courtsWords,
  coaches: coachesWords,
  people: peopleWords,
  rules: rulesWords,
  equipment: equipmentWords,
  prices: pricesWords,
  usage: usageWords,
  audit: auditWords,
  outbox: outboxWords,
  screens: screensWords,
} as const
