import type { ReactNode } from "react"
import styles from "./Table.module.css"

export interface Column<Row> {
  readonly head: string
  readonly of: (row: Row) => ReactNode
  /** Whether these are figures, to be compared from line to line. */
  readonly figures?: boolean
  /** Whether it is short, and not broken over lines. */
  readonly short?: boolean
}

interface Props<Row> {
  /** What the table is of, for whoever cannot see what is above it. */
  readonly caption: string
  /** The first says what a line is about. */
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string | number
  /** What can be done about a line. */
  readonly actions?: (row: Row) => ReactNode
  /** Whether a line is over: it is there, but quieter. */
  readonly isOver?: (row: Row) => boolean
}

/** A table on a desk; in a small window a card for each line, with the same content. */
export function Table<Row>({ caption, columns, rows, keyOf, actions, isOver }: Props<Row>) {
  const [first, ...others] = columns
  if (!first) return null
  return (
    <div className={styles["room"]}>
      <table className={styles["table"]}>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ head, figures }) => (
              <th key={head} scope="col" data-figures={figures}>
                {head}
              </th>
            ))}
            {actions && <td />}
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <tr key={keyOf(row)} data-over={isOver?.(row)}>
              <th scope="row">{first.of(row)}</th>
              {others.map(({ head, of, figures, short }) => (
                <td key={head} data-head={head} data-figures={figures} data-short={short}>
                  <div>{of(row)}</div>
                </td>
              ))}
              {actions && (
                <td className={styles["actions"]}>
                  <div>{actions(row)}</div>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
