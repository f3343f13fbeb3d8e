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
  rate: "Rate an hour",
  lengths: "Lengths",
  usual: "as the club has them",
  atLeast: (minutes: number) => `at least ${minutes} min`,
  atMost: (minutes: number) => `at most ${minutes} min`,
  every: (minutes: number) => `begins each ${minutes} min`,
  own: "Lengths of its own",
  ownHint: "Minutes. What is left empty is as the club has it.",
  min_duration: "At least",
  max_duration: "At most",
  start_alignment: "Begins each",
  position: "Place on the grid (the lowest is first)",
  units: "Made of",
  unitsHint:
    "Courts that this one takes up together, as a large court of two small ones: what is booked on either is taken on both. None: it is a court by itself. Bookings and closures of it must be over before this is changed.",
  partOf: (names: string) => `It is a part of ${names}, so it is not made of others itself.`,
  madeOf: (names: string) => `made of ${names}`,
  remove: "Retire",
  removeText:
    "It leaves the grid and cannot be booked any more; its past stays. This is refused while bookings of it are to come.",
} as const

export const coachesWords = {
  title: "Coaches",
  text: "A coach can be booked with a court in these hours. Lessons that are booked stay booked, whatever the hours.",
  add: "Add a coach",
  none: "There are no coaches yet.",
  name: "Name",
  rate: "Rate an hour",
  hours: "Hours",
  off: "Not there",
  offThen: "off",
  remove: "Retire",
  removeText: "Nobody can be booked with this coach any more. This is refused while lessons are to come.",
} as const

export const peopleWords = {
  title: "People",
  search: "Find by name or address",
  add: "Add somebody",
  none: "Nobody is called so.",
  first: (count: number) => `These are the first ${count}. Type more of the name to find others.`,
  name: "Name",
  email: "E-mail address",
  emailHint: "Whoever has no account yet gets a mail with a link to choose a password.",
  role: "Role",
  roles: { player: "Player", staff: "Staff", admin: "Administrator" },
  tier: "Tier",
  tierHint: "As price rules name it, junior say. Empty: none.",
  suspended: "Suspended",
  suspend: "Suspended in this club",
  suspendHint:
    "Whoever is suspended books and moves nothing here, and is signed out. What is booked stays booked; other clubs do not notice.",
  shutOut: "Account shut out",
  unconfirmed: "Address not confirmed",
  added: "It is done. Whoever had no account gets a mail.",
} as const
