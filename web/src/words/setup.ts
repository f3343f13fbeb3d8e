/** What the page says where staff set up what the club has: lists, closures, hours, courts and so on. */

export const listing = {
  change: "Change",
  changeOf: (name: string) => `Change: ${name}`,
  save: "Save",
  saved: "It is saved.",
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
  reasonHint: "Everybody reads it on the grid: new carpet, say.",
  from: "From",
  until: "Until",
  which: "Which courts",
  all: "All courts",
  remove: "Open again",
  removeText: "The courts can be booked again at once. What was cancelled for the closure stays cancelled.",
  choose: "Choose courts and times to see whose bookings are in the way.",
  nobody: "Nobody has booked these courts then.",
  affected: (count: number) =>
    count === 1
      ? "One booking is in the way. It is cancelled free of charge, and its owner gets a mail."
      : `${count} bookings are in the way. They are cancelled free of charge, and their owners get a mail.`,
  affectedList: "Bookings in the way",
  close: "Close",
  closeAndCancel: (count: number) =>
    count === 1 ? "Close, and cancel 1 booking" : `Close, and cancel ${count} bookings`,
  saved: (count: number) =>
    count === 0
      ? "The courts are closed then."
      : `The courts are closed then. ${count === 1 ? "One booking was" : `${count} bookings were`} cancelled; the mails are on their way.`,
} as const

export const datesWords = {
  title: "Single dates",
  text: "Off on a date, or there at other hours. On all others the week holds.",
  none: "No date is different.",
  date: "Date",
  add: "Add a date",
  remove: "As in the week again",
  removeOf: (day: string) => `As in the week again: ${day}`,
} as const

export const hours = {
  title: "Opening hours",
  week: "The week",
  text: "What is booked stays booked, whatever the hours.",
  weekSaved: "The hours are saved. The grid shows them already.",
  weekdays: ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
  short: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
  opens: (day: string) => `${day}: opens`,
  closes: (day: string) => `${day}: closes`,
  closed: "Closed",
  addWindow: (day: string) => `Add hours: ${day}`,
  removeWindow: (day: string, opens: string) => `Remove: ${day} from ${opens}`,
  night: "Hours that end at or before they begin run past midnight.",
  days: "Dates with other hours",
  add: "Give a date other hours",
  none: "All days have their weekday's hours.",
  day: "Date",
  hours: "Hours",
  reason: "Reason",
  remove: "Usual hours again",
  removeText: "The weekday's hours hold on that date again. What is booked stays booked.",
  ofDay: "That day",
} as const
