/** What the page of one's own bookings says. */
export const bookings = {
  title: "My bookings",
  strangers: "Sign in to see your bookings.",
  upcoming: "Upcoming",
  none: "You have nothing booked.",
  find: "Find a court",
  more: "Show more",
  past: "Past bookings",
  since: (date: string) => `That is everything since ${date}.`,
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
        ? `Cancelling was free until ${until}. The club may now charge a fee of ${percent} % of the price.`
        : `The club asks you to cancel by ${until}. It is later than that, but cancelling still costs nothing.`,
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
