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
  text: "What players may do. What is booked stays as it was booked; staff may book beyond most of these.",
  adminOnly: "Rules are changed by the club's administrators.",
  save: "Save the rules",
  saved: "The rules are saved, and hold from now on.",
  nothing: "There is nothing to save: all is as it was.",
  changed: "Somebody else has changed these rules since you opened the page:",
  changedTo: (rule: string, before: string, after: string) => `${rule}: was “${before}”, is “${after}”.`,
  yours: (value: string) => `You want “${value}”.`,
  kept: "Below is how it is now, with your own changes still in it. Look again, then save.",
  sections: {
    club: "The club",
    lengths: "Times and lengths",
    horizon: "How far ahead",
    cancelling: "Cancelling",
    limits: "Limits for each player",
    waitlist: "Offers to whoever waits",
    tiers: "Tiers",
    prices: "Price rules",
  },
  labels: {
    name: "Name",
    grid_visibility: "Who sees the grid",
    verified_email_required: "Only with a confirmed address",
    granularity: "Bookings begin each (minutes)",
    min_duration: "Shortest booking (minutes)",
    max_duration: "Longest booking (minutes)",
    refuse_gaps: "No short gaps",
    gap_exempt_minutes: "Short gaps are fine this near (minutes)",
    horizon_days: "Days ahead",
    horizon_release: "A new day opens at",
    cancel_deadline: "Free until (minutes before)",
    late_cancel_fee_percent: "Fee after that (% of the price)",
    active_bookings: "Bookings at a time",
    minutes_per_day: "Minutes a day",
    minutes_per_week: "Minutes a week",
    prime_minutes_per_week: "Minutes a week in prime time",
    prime_windows: "Prime time",
    offer_minutes: "An offer lasts (minutes)",
    offer_cutoff: "Nothing is held this near (minutes)",
    tiers: "Tiers",
    stacking: "When several price rules apply",
  },
  hints: {
    name: "As players and mails call it.",
    grid_visibility: "Whoever may not see the grid cannot book either.",
    verified_email_required: "Players book only once they have pressed the link in the mail.",
    granularity: "30: at full and half hours. Courts may have their own.",
    min_duration: "Courts may have their own.",
    max_duration: "Courts may have their own.",
    refuse_gaps: "A booking is refused if it leaves a free time beside it that is too short for another one.",
    gap_exempt_minutes: "What begins within so many minutes may leave any gap.",
    horizon_days: "How many days from today players may book. Tiers may have their own.",
    horizon_release: "The time of day at which one more day can be booked.",
    cancel_deadline: "Until then cancelling costs nothing. Bookings keep what held when they were made.",
    late_cancel_fee_percent: "Due when somebody cancels later than that. 0: never.",
    active_bookings: "That are not over yet. Empty: no limit.",
    minutes_per_day: "Of one day. Empty: no limit.",
    minutes_per_week: "Of one week, Monday to Sunday. Empty: no limit.",
    prime_minutes_per_week: "Of one week, in the hours below. Empty: no limit.",
    prime_windows: "The hours that the limit above counts.",
    offer_minutes: "How long whoever waits has to take what became free, before it goes to the next.",
    offer_cutoff: "What begins within so many minutes is for whoever comes first.",
    tiers:
      "What is different for some members, by their tier. A higher priority is served first from the waitlist; 0 if empty.",
    stacking: "Two rules of +10 %: together +20 %, one upon the other +21 %, the largest alone +10 %.",
  },
  thatIs: (minutes: number) => (minutes > 60 && minutes % 60 === 0 ? `That is ${lasting(minutes)}.` : ""),
  visibilities: { public: "Everybody", members: "Members only" },
  stackings: {
    additive: "Their percentages are added up",
    multiplicative: "One upon the other",
    max: "The largest alone",
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
  tierTwice: "This tier is there twice.",
  amount: (value: number, of: "minutes" | "days" | "percent" | "count") =>
    ({ minutes: lasting(value), days: plural(value, "day", "days"), percent: `${value} %`, count: `${value}` })[of],
} as const
