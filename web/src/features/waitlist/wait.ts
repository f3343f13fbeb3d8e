import type { Court } from "../../api/catalogue"

/** A place in a line. */
export interface Wait {
  /** Null: any court of `kind`. */
  readonly court: number | null
  readonly kind: string | null
  readonly from: number
  readonly until: number
  /** From 1. */
  readonly place: number
}

/** Whether it is about that court, perhaps among others. */
export function isOn(wait: Wait, court: Court): boolean {
  return wait.court === null ? wait.kind === court.kind : wait.court === court.id
}
