/** The words of the wall screen. */
export const screenWords = {
  title: "Courts",
  starting: "Looking for the server …",
  updated: (time: string) => `updated ${time}`,
  stale: (time: string) => `No connection since ${time}. What is shown may be old.`,
  neverHeard: "No connection yet. The screen carries on by itself as soon as there is one.",
  noGrid: "There is nothing to show for today.",
  book: "Scan to book",
  qr: (address: string) => `QR code that leads to ${address}`,
  until: (time: string) => `until ${time}`,
  unknown: "Not known yet",
  kinds: { free: "Free", booked: "Booked", held: "Reserved", closed: "Closed", coaching: "Coaching", shut: "Closed" },
  coming: (time: string, kind: string) => `${time} ${kind.toLowerCase()}`,
  pairing: {
    title: "This screen is new",
    ended: "This screen has been removed",
    what: (address: string) => `Staff: sign in, open ${address} on your own device and enter this code.`,
    waiting: "It carries on by itself once the code has been approved. A new code comes every ten minutes.",
    unreachable: "The server cannot be reached. A code appears as soon as it can.",
  },
} as const
