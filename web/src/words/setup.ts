/** What the page says where staff set up what the club has: lists, closures, hours, courts and so on. */

export const listing = {
  change: "Change",
  changeOf: (name: string) => `Change: ${name}`,
  save: "Save",
  saved: "Saved.",
  done: (what: string) => `Done: ${what}.`,
  keep: "Leave it as it is",
} as const

export const closuresWords = {
  title: "Closures",
  text: "A closed court cannot be booked, and the grid says why.",
  add: "Close courts",
  none: "No court is closed, now or later.",
  when: "When",
  courts: "Courts",
  reason: "Reason",
  reasonHint: "Everybody can read it on the grid, for example: new carpet.",
  from: "From",
  until: "Until",
  which: "Which courts",
  all: "All courts",
  remove: "Open again",
  removeText: "The courts can be booked again at once. What was cancelled for the closure stays cancelled.",
  choose: "Choose courts and times to see whose bookings are in the way.",
  nobody: "Nobody has booked these courts at that time.",
  affected: (count: number) =>
    count === 1
      ? "One booking is in the way. It will be cancelled free of charge, and the player gets an e-mail."
      : `${count} bookings are in the way. They will be cancelled free of charge, and the players get an e-mail.`,
  affectedList: "Bookings in the way",
  close: "Close",
  closeAndCancel: (count: number) =>
    count === 1 ? "Close, and cancel 1 booking" : `Close, and cancel ${count} bookings`,
  saved: (count: number) =>
    count === 0
      ? "The closure is saved."
      : `The closure is saved. ${count === 1 ? "One booking was" : `${count} bookings were`} cancelled; the e-mails are on their way.`,
} as const

export const datesWords = {
  title: "Single dates",
  text: "Days off, and days with different hours. On all other dates the week above applies.",
  none: "No date is different.",
  date: "Date",
  add: "Add a date",
  remove: "Back to the week's hours",
  removeOf: (day: string) => `Back to the week's hours: ${day}`,
} as const

export const hours = {
  title: "Opening hours",
  week: "The week",
  text: "What is booked stays booked, whatever the hours.",
  weekSaved: "The hours are saved and already on the grid.",
  weekdays: ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
  short: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
  opens: (day: string) => `${day}: opens`,
  closes: (day: string) => `${day}: closes`,
  closed: "Closed",
  addWindow: (day: string) => `Add hours: ${day}`,
  removeWindow: (day: string, opens: string) => `Remove: ${day} from ${opens}`,
  night: "Hours that end at or before their start run past midnight.",
  days: "Dates with different hours",
  add: "Set different hours for a date",
  none: "Every date has its weekday's hours.",
  day: "Date",
  hours: "Hours",
  reason: "Reason",
  remove: "Restore usual hours",
  removeText: "That date has its weekday's hours again. What is booked stays booked.",
  ofDay: "That day",
} as const
