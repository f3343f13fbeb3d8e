/** What the page says where the club's booking rules are set. */

function plural(count: number, one: string, many: string): string {
  return count === 1 ? `1 ${one}` : `${count} ${many}`
}

/** "1 day", "36 hours", "90 minutes" */
function lasting(minutes: number): string {
  if (minutes > 0 && minutes % 1440 === 0) return plural(minutes / 1440, "day", "days")
  if (minutes > 60 && minutes % 60 === 0) return plural(minutes / 60, "hour", "hours")
  return plural(minutes, "minute", "minutes")
}

export const rulesWords = {
  title: "Rules",
  text: "What players may do. What is booked stays as it was booked; staff may override most of these.",
  adminOnly: "Rules are changed by the club's administrators.",
  save: "Save the rules",
  saved: "The rules are saved and apply from now on.",
  nothing: "There is nothing to save: nothing has changed.",
  changed: "Somebody else has changed these rules since you opened the page:",
  changedTo: (rule: string, before: string, after: string) => `${rule}: was “${before}”, is “${after}”.`,
  yours: (value: string) => `You want “${value}”.`,
  kept: "Below are the rules as they are now, with your own changes still in them. Check them, then save.",
  sections: {
    club: "The club",
    lengths: "Times and lengths",
    horizon: "How far ahead",
    cancelling: "Cancelling",
    limits: "Limits for each player",
    waitlist: "Waitlist offers",
    tiers: "Tiers",
    prices: "Price rules",
  },
  labels: {
    name: "Name",
    grid_visibility: "Who sees the grid",
    verified_email_required: "Only with a confirmed e-mail address",
    granularity: "Bookings start every",
    min_duration: "Shortest booking",
    max_duration: "Longest booking",
    refuse_gaps: "No short gaps",
    gap_exempt_minutes: "Short gaps are fine this close to the start",
    horizon_days: "Days ahead",
    horizon_release: "A new day opens at",
    cancel_deadline: "Free until this long before",
    late_cancel_fee_percent: "Fee after that (% of the price)",
    active_bookings: "Bookings at a time",
    minutes_per_day: "Playing time per day",
    minutes_per_week: "Playing time per week",
    prime_minutes_per_week: "Playing time per week in prime time",
    prime_windows: "Prime time",
    offer_minutes: "An offer lasts",
    offer_cutoff: "Nothing is held this close to the start",
    tiers: "Tiers",
    stacking: "When several price rules apply",
  },
  hints: {
    name: "As it is called on the page and in e-mails.",
    grid_visibility: "Those who cannot see the grid cannot book either.",
    verified_email_required: "Players can book only once they have opened the link in the e-mail.",
    granularity: "30 minutes: on the hour and the half hour. Courts may have their own.",
    min_duration: "Courts may have their own.",
    max_duration: "Courts may have their own.",
    refuse_gaps: "A booking is refused if it leaves free time next to it that is too short for another one.",
    gap_exempt_minutes: "What starts sooner than this may leave any gap.",
    horizon_days: "How many days ahead players may book. Tiers may have their own.",
    horizon_release: "The time of day at which one more day can be booked.",
    cancel_deadline: "Until then cancelling costs nothing. Bookings keep the deadline they were made with.",
    late_cancel_fee_percent: "Charged when somebody cancels later than that. 0: never.",
    active_bookings: "Bookings that are not over yet. Empty: no limit.",
    minutes_per_day: "Empty: no limit.",
    minutes_per_week: "Monday to Sunday. Empty: no limit.",
    prime_minutes_per_week: "Monday to Sunday, in the hours below. Empty: no limit.",
    prime_windows: "The hours that the limit above counts.",
    offer_minutes: "How long somebody has to take what became free, before it goes to the next in line.",
    offer_cutoff: "What starts sooner than this is for whoever books first.",
    tiers:
      "What is different for some members, by their tier. On the waitlist a higher priority is served first; empty counts as 0.",
    stacking: "Two rules of +10 %: added up +20 %, one on top of the other +21 %, only the largest +10 %.",
  },
  units: { 1: "minutes", 60: "hours", 1440: "days" },
  unitOf: (rule: string) => `Unit: ${rule}`,
  visibilities: { public: "Everybody", members: "Members only" },
  stackings: {
    additive: "Their percentages are added up",
    multiplicative: "One is added on top of the other",
    max: "Only the largest applies",
  },
  yes: "Yes",
  no: "No",
  noLimit: "no limit",
  noPrime: "No hours",
  noTiers: "none",
  tier: "Tier",
  tierOf: (index: number) => `Name of tier ${index}`,
  days: "Days ahead",
  daysOf: (tier: string) => `Days ahead: ${tier}`,
  priority: "Priority",
  priorityOf: (tier: string) => `Priority: ${tier}`,
  priorityIs: (priority: number) => `priority ${priority}`,
  tierIs: (tier: string, what: string) => (what ? `${tier}: ${what}` : tier),
  addTier: "Add a tier",
  removeTier: (tier: string) => `Remove the tier ${tier}`,
  tierTwice: "There are two tiers with this name.",
  amount: (value: number, of: "minutes" | "days" | "percent" | "count") =>
    ({ minutes: lasting(value), days: plural(value, "day", "days"), percent: `${value} %`, count: `${value}` })[of],
} as const
