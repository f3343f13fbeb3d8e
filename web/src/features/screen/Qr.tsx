import qrcode from "qrcode-generator"
import { words } from "../../words/words"
import styles from "./screen.module.css"

const QUIET = 4

/** A QR code, dark on light whatever the theme: readers want it so. */
export function Qr({ address }: { address: string }) {
  const code = qrcode(0, "M")
  code.addData(address)
  code.make()
  const count = code.getModuleCount()
  const size = count + 2 * QUIET
  const dark: string[] = []
  for (let row = 0; row < count; row++) {
    for (let column = 0; column < count; column++) {
      if (code.isDark(row, column)) dark.push(`M${column + QUIET} ${row + QUIET}h1v1h-1z`)
    }
  }
  return (
    <svg className={styles["qr"]} viewBox={`0 0 ${size} ${size}`} shapeRendering="crispEdges" role="img">
      <title>{words.screen.qr(address)}</title>
      <rect width={size} height={size} fill="#fff" />
      <path d={dark.join("")} fill="#000" />
    </svg>
  )
}
