import type { Price } from "../../api/bookings"
import { formatMoney, withTimes } from "../../words/format"
import { words } from "../../words/words"
import styles from "./Drawer.module.css"

/** A price with its lines and why. */
export function Lines({ price }: { price: Price }) {
  return (
    <table className={styles["lines"]}>
      <caption>{words.booking.price}</caption>
      <tbody>
        {price.lines.map(line => (
          <tr key={line.label}>
            <th scope="row">{withTimes(line.label)}</th>
            <td>{formatMoney(line.amount, price.currency)}</td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">{words.booking.total}</th>
          <td>{formatMoney(price.total, price.currency)}</td>
        </tr>
      </tfoot>
    </table>
  )
}
