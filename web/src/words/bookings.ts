/** What the page of one's own bookings says. */
export const bookings = {
  title: "My bookings",
  strangers: "Sign in to see your bookings.",
  upcoming: "To come",
  none: "You have no court booked.",
  find: "Find a court",
  more: "Show more",
  past: "Past bookings",
  since: (date: string) => `That is all since ${date}.`,
  earlier: "Show earlier ones",
  someCourt: "Court",
  coach: (name: string) => `with ${name}`,
  move: "Move",
  cancel: "Cancel",
  cancelling: {
    title: "Cancel this booking?",
    free: (until: string) => `Cancelling is free until ${until}.`,
    late: (until: string, percent: number) =>
      percent > 0
        ? `Cancelling was free until ${until}. Now the club may charge a fee; its rule is ${percent} % of the price.`
        : `Cancelling was to be done until ${until}. It is later than that, but costs nothing.`,
    submit: "Cancel the booking",
    keep: "Keep it",
    done: (what: string) => `Cancelled: ${what}.`,
  },
  moving: {
    title: "Move this booking",
    court: "Court",
    date: "Day",
    time: "From",
    length: "How long",
    minutes: (count: number) => `${count} minutes`,
    choose: "Choose another court or time",
    submit: (price: string) => `Move it · ${price}`,
    keep: "Leave it where it is",
    done: (when: string) => `Moved to ${when}.`,
  },
} as const
