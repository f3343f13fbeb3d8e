/** How many tiles stand side by side, so that all fit and their text is as large as can be. */

/** What a tile needs at a text size of 1. */
const WIDE = 16
const HIGH = 7

export function columnsFor(count: number, width: number, height: number): number {
  let best = { columns: 1, size: 0 }
  for (let columns = 1; columns <= count; columns++) {
    const size = Math.min(width / columns / WIDE, height / Math.ceil(count / columns) / HIGH)
    if (size > best.size) best = { columns, size }
  }
  return best.columns
}
