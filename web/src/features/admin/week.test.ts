import { expect, it } from "vitest"
import { daysInWords, weekInWords } from "./week"

const on = (weekday: number, opens = "09:00", closes = "17:00") => ({ weekday, opens, closes })

it("says days in a row with the same hours together, and leaves out days without", () => {
  expect(weekInWords([on(0), on(1), on(2), on(4), on(5, "10:00", "12:00"), on(5, "14:00", "16:00")])).toBe(
    "Mon–Wed 09:00–17:00; Fri 09:00–17:00; Sat 10:00–12:00, 14:00–16:00",
  )
})

it("says nothing of a week without hours", () => {
  expect(weekInWords([])).toBe("")
})

it("says days in a row as a stretch", () => {
  expect(daysInWords([0, 1, 2, 3, 4, 6])).toBe("Mon–Fri, Sun")
  expect(daysInWords([])).toBe("")
})
