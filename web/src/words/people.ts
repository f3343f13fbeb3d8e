/** What the page says where staff set up courts, coaches and people. */

export const courtsWords = {
  title: "Courts",
  add: "Add a court",
  none: "There are no courts yet.",
  name: "Name",
  kind: "Sport",
  kindHint: "As players look for it: tennis, padel, badminton.",
  where: "Where",
  places: { indoor: "Indoor", outdoor: "Outdoor" },
  surface: "Surface",
  rate: "Rate per hour",
  lengths: "Booking times",
  usual: "the club's usual",
  atLeast: (minutes: number) => `at least ${minutes} min`,
  atMost: (minutes: number) => `at most ${minutes} min`,
  every: (minutes: number) => `starts every ${minutes} min`,
  own: "Own booking times",
  ownHint: "In minutes. Leave a field empty to use the club's.",
  min_duration: "At least",
  max_duration: "At most",
  start_alignment: "Starts every",
  position: "Position on the grid (lowest first)",
  units: "Made of",
  unitsHint:
    "The courts that this one takes up, such as a large court made of two small ones: what is booked on either is taken on both. None: it is a court of its own. Its bookings and closures must be over before you change this.",
  partOf: (names: string) => `It is part of ${names}, so it cannot be made of other courts itself.`,
  madeOf: (names: string) => `made of ${names}`,
  remove: "Retire",
  removeText:
    "It leaves the grid and can no longer be booked; its history stays. This is not possible while it has upcoming bookings.",
} as const

export const coachesWords = {
  title: "Coaches",
  text: "A coach can be booked together with a court in these hours. Lessons that are booked stay booked, whatever the hours.",
  add: "Add a coach",
  none: "There are no coaches yet.",
  name: "Name",
  rate: "Rate per hour",
  hours: "Hours",
  off: "Away",
  offThen: "off",
  remove: "Retire",
  removeText: "This coach can no longer be booked. This is not possible while there are upcoming lessons.",
} as const

export const peopleWords = {
  title: "People",
  search: "Find by name or e-mail address",
  add: "Add a person",
  none: "Nobody has that name.",
  first: (count: number) => `These are the first ${count}. Type more of the name to narrow them down.`,
  name: "Name",
  email: "E-mail address",
  emailHint: "Somebody without an account gets an e-mail with a link to choose a password.",
  role: "Role",
  roles: { player: "Player", staff: "Staff", admin: "Administrator" },
  tier: "Tier",
  tierHint: "As price rules name it, for example junior. Empty: none.",
  suspended: "Suspended",
  suspend: "Suspended at this club",
  suspendHint:
    "Somebody who is suspended cannot book or move anything here, and is signed out. What is booked stays booked; other clubs are not affected.",
  shutOut: "Account blocked",
  unconfirmed: "E-mail address not confirmed",
  added: "Added. Somebody without an account gets an e-mail.",
} as const
