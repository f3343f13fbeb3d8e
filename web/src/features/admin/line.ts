/** The order in which those who wait are listed. */

import type { DeskEntry } from "../../api/line"

/** By time, then line by line: those who wait for the same court, then by their place. */
export function inLineOrder(entries: readonly DeskEntry[]): DeskEntry[] {
  const lineOf = ({ court_id, kind }: DeskEntry) =>
    court_id === null ? `any ${kind}` : String(court_id).padStart(20, "0")
  return [...entries].sort(
    (one, other) =>
      Date.parse(one.start_ts) - Date.parse(other.start_ts) ||
      lineOf(one).localeCompare(lineOf(other)) ||
      one.position - other.position,
  )
}
