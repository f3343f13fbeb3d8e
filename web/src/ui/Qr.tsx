import qrcode from "qrcode-generator"

const QUIET = 4

interface Props {
  readonly address: string
  /** What it is for, to whoever cannot see it. */
  readonly title: string
  readonly className?: string | undefined
}

/** A QR code, dark on light whatever the theme: readers want it so. */
export function Qr({ address, title, className }: Props) {
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
    <svg className={className} viewBox={`0 0 ${size} ${size}`} shapeRendering="crispEdges" role="img">
      <title>{title}</title>
      <rect width={size} height={size} fill="#fff" />
      <path d={dark.join("")} fill="#000" />
    </svg>
  )
}
