/** A week's days and hours in a few words. */

import type { DayWindow } from "../../api/collections"
import { staff } from "../../words/staff"

/** "Mon–Fri 09:00–17:00; Sat 10:00–12:00, 14:00–16:00": days in a row that have the same hours are said together. */
export function weekInWords(week: readonly DayWindow[]): string {
  const hoursOf = (day: number) =>
    week
      .filter(({ weekday }) => weekday === day)
      .map(({ opens, closes }) => `${opens}–${closes}`)
      .join(", ")
  return runsOf(hoursOf)
    .map(({ days, said }) => `${days} ${said}`)
    .join("; ")
}

/** "Mon–Fri, Sun" */
export function daysInWords(weekdays: readonly number[]): string {
  return runsOf(day => (weekdays.includes(day) ? "on" : ""))
    .map(({ days }) => days)
    .join(", ")
}

/** The stretches of the week of which the same is said; those of which nothing is said are left out. */
function runsOf(sayOf: (day: number) => string): { days: string; said: string }[] {
  const { short } = staff.hours
  const runs: { first: number; last: number; said: string }[] = []
  for (const day of short.keys()) {
    const said = sayOf(day)
    const before = runs.at(-1)
    if (before?.said === said) before.last = day
    else runs.push({ first: day, last: day, said })
  }
  return runs
    .filter(({ said }) => said)
    .map(({ first, last, said }) => ({
      days: first === last ? `${short[first]}` : `${short[first]}–${short[last]}`,
      said,
    }))
}
