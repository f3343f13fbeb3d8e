const SHIFT_EVERY = 3
const SHIFT_STEPS = 16
const SHIFT_PIXELS = 6

/** All moves by some pixels every few minutes, round a small circle, so that nothing burns into the glass. */
export function shiftAt(instant: number) {
  const angle = ((instant / 60_000 / SHIFT_EVERY) % SHIFT_STEPS) * ((2 * Math.PI) / SHIFT_STEPS)
  const [x, y] = [Math.cos(angle), Math.sin(angle)].map(part => Math.round(part * SHIFT_PIXELS))
  return { transform: `translate(${x}px, ${y}px)` }
}
