import { booking, grid } from "./grid"
import { screenWords } from "./screen"

/**
 * All that the page says, but what it says to staff (`staff.ts`), which players need not fetch. To translate it, write
 * files with the same keys and choose them in `words.ts` and `staff.ts`.
 * Plain and short: what happened, what it means, what to do.
 */
export const en = {
  app: {
    name: "Courtside",
    loading: "Loading",
    skip: "Skip to content",
    menu: "Pages",
    courts: "Courts",
    bookings: "My bookings",
    signIn: "Sign in",
    account: "Account",
    staff: "Staff",
    ended: "You have been signed out.",
    theme: { auto: "Colours: same as the device", light: "Colours: light", dark: "Colours: dark" },
    zone: (zone: string) => `Times are in the club's time zone (${zone}).`,
  },
  mark: {
    live: "Live",
    catchingUp: "Catching up",
    polling: "Every few seconds",
    offline: (time: string) => `Offline since ${time}`,
  },
  trouble: {
    notFound: "This page does not exist",
    notFoundText: "The address may be mistyped, or the page is gone.",
    toCourts: "See the courts",
    broken: "This part of the page has stopped working",
    brokenText: "Your bookings are safe. Reloading usually helps.",
    reload: "Reload",
  },
  grid,
  booking,
  screen: screenWords,
  login: {
    title: "Sign in",
    email: "E-mail address",
    password: "Password",
    submit: "Sign in",
    forgot: "Forgot your password?",
    register: "New here? Create an account",
    second: "One more step",
    secondText: "Enter the code from your authenticator app. If you have lost your phone, a recovery code works too.",
  },
} as const
