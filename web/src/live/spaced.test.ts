import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { spaced } from "./spaced"

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

function counted() {
  const calls: number[] = []
  return { calls, ...spaced(() => calls.push(performance.now())) }
}

it("calls once for what comes together, and soon", () => {
  const { calls, ask } = counted()
  const began = performance.now()
  ask()
  vi.advanceTimersByTime(200)
  ask()
  vi.advanceTimersByTime(200)
  expect(calls.map(at => at - began)).toEqual([300])
})

it("leaves a pause however often it is asked, and calls after the last time", () => {
  const { calls, ask } = counted()
  for (let turn = 0; turn < 100; turn++) {
    ask()
    vi.advanceTimersByTime(100)
  }
  expect(calls.length).toBe(4)
  ask()
  vi.advanceTimersByTime(3000)
  expect(calls.length).toBe(5)
})

it("calls no more once it is stopped, until it is asked again", () => {
  const { calls, ask, stop } = counted()
  ask()
  stop()
  vi.advanceTimersByTime(5000)
  expect(calls).toEqual([])
  ask()
  vi.advanceTimersByTime(300)
  expect(calls.length).toBe(1)
})
