/** The staff's pages in the order of their menu. */

import { staff } from "../../words/staff"

export const PLACES: readonly (readonly [path: string, name: string])[] = [
  ["/admin", staff.today.title],
  ["/admin/waitlist", staff.line.title],
  ["/admin/closures", staff.closures.title],
  ["/admin/hours", staff.hours.title],
  ["/admin/courts", staff.courts.title],
  ["/admin/coaches", staff.coaches.title],
  ["/admin/equipment", staff.equipment.title],
  ["/admin/prices", staff.prices.title],
  ["/admin/rules", staff.rules.title],
  ["/admin/people", staff.people.title],
  ["/admin/usage", staff.usage.title],
  ["/admin/audit", staff.audit.title],
  ["/admin/screens", staff.screens.title],
  ["/admin/outbox", staff.outbox.title],
]
