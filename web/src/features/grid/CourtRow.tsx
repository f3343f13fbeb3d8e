import { type CSSProperties, memo, useMemo } from "react"
import type { Court } from "../../api/catalogue"
import type { Row, Topic } from "../../live/protocol"
import { useRow } from "../../live/useLive"
import { formatTime, formatTimes } from "../../words/format"
import { words } from "../../words/words"
import { isOn, type Wait } from "../waitlist/wait"
import styles from "./Board.module.css"
import cells from "./Cells.module.css"
import { HOUR, type Piece, piecesOf, placeOf, type Scale, type Span } from "./timeline"

export interface RowProps {
  readonly topic: Topic
  readonly court: Court
  readonly index: number
  readonly scale: Scale
  readonly zone: string
  /** The `grid_ref`s of one's own bookings. */
  readonly mine: ReadonlySet<string>
  /** What is held for whoever looks, by its name on the grid. */
  readonly held: ReadonlyMap<string, unknown>
  readonly waits: readonly Wait[]
  /** What is selected on this court, and what to say of it. */
  readonly selected: Span | null
  readonly label: string
  /** What is being booked on this court and not on the grid yet. */
  readonly pending: Span | null
  /** The instant that the roving focus is at, if it is in this row. */
  readonly focus: number | null
  /** Steps that begin before this are past. */
  readonly past: number
}

/** One court's day. It is drawn again when its own row changes, or what is selected in it, and not otherwise. */
export const CourtRow = memo(function CourtRow(props: RowProps) {
  const { topic, court, index, scale, zone, selected, label, pending } = props
  const row = useRow(topic, court.id)
  const pieces = useMemo(() => withPending(piecesOf(scale, row), pending), [scale, row, pending])
  // What is there by now is not covered by what somebody wished for.
  const open = selected && pieces.every(piece => piece.kind === "free" || !meets(piece, selected)) ? selected : null
  return (
    // biome-ignore lint/a11y/useSemanticElements: a table cannot place its cells by time
    // biome-ignore lint/a11y/useFocusableInteractive: the cells have the focus, not the row
    <div role="row" aria-rowindex={index + 2} className={styles["row"]} data-court={court.id}>
      {/* biome-ignore lint/a11y/useSemanticElements: as above */}
      {/* biome-ignore lint/a11y/useFocusableInteractive: a heading is not pressed */}
      <div role="rowheader" aria-colindex={1} className={styles["court"]}>
        <b>{court.name}</b>
        <small>
          {court.kind} · {court.indoor ? words.grid.filters.indoor : words.grid.filters.outdoor}
        </small>
      </div>
      <div className={styles["lane"]} role="presentation">
        {pieces.map(piece => (
          <PieceCell key={piece.from} piece={piece} row={row} {...props} />
        ))}
        {open && (
          <div className={styles["selection"]} style={labelled(scale, open)} aria-hidden="true">
            <span>{words.grid.selected(formatTimes(open.from, open.until, zone), label || null)}</span>
          </div>
        )}
      </div>
    </div>
  )
})

type Looks = Piece["kind"] | "mine" | "offer" | "pending" | "past"

/** For the eye, which is to tell states apart by more than their colour. */
const SIGNS: Partial<Record<Looks, string>> = { held: "◷", offer: "◷", coaching: "✦", mine: "★" }

/** What is pressed to wait for it, or to claim it. */
const TAKEN: readonly Looks[] = ["booked", "coaching", "held", "offer", "closed"]

function PieceCell({ piece, row, ...props }: RowProps & { piece: Shown; row: Row | undefined }) {
  const { court, scale, zone, mine, held, waits, selected, focus, past } = props
  const looks = looksOf(piece, mine, held, past)
  const state = sayState(piece, looks, zone)
  const shown = [SIGNS[looks], state].filter(Boolean).join(" ")
  // A closure that is running may be waited for where it goes on.
  const waited = TAKEN.includes(looks) && (looks === "closed" ? piece.until > past : piece.from >= past)
  const line = waited && looks !== "offer" ? waits.find(wait => isOn(wait, court) && meets(wait, piece)) : undefined
  const place = line ? words.waitlist.place(line.place) : null
  const chosen = selected !== null && meets(piece, selected)
  const focused = focus !== null && piece.from <= focus && focus < piece.until
  return (
    // biome-ignore lint/a11y/useSemanticElements: a table cannot place its cells by time
    <div
      role="gridcell"
      tabIndex={focused ? 0 : -1}
      aria-colindex={Math.floor((piece.from - scale.from) / scale.step) + 2}
      aria-selected={looks === "free" ? chosen : undefined}
      aria-disabled={(looks !== "free" && !waited) || undefined}
      aria-label={words.grid.cell(
        formatTimes(piece.from, piece.until, zone),
        row ? [speak(piece, looks, state), place].filter(Boolean).join(", ") : words.app.loading,
      )}
      title={looks === "free" ? formatTime(piece.from, zone) : [shown, place].filter(Boolean).join(" · ")}
      className={cells["cell"]}
      data-looks={looks}
      data-waited={waited || undefined}
      data-line={place !== null || undefined}
      data-from={piece.from}
      data-until={piece.until}
      style={placed(scale, piece)}
    >
      {looks !== "free" && looks !== "shut" && looks !== "noCoach" && looks !== "past" && (
        <span className={cells["what"]}>{shown}</span>
      )}
      {line && <span className={cells["line"]} data-place={shortly(piece, line)} style={within(piece, line)} />}
    </div>
  )
}

type Shown = Omit<Piece, "kind"> & { readonly kind: Piece["kind"] | "pending" }

/** With what is being booked in place of the free steps that it takes. */
function withPending(pieces: readonly Piece[], pending: Span | null): readonly Shown[] {
  if (!pending) return pieces
  const inside = (piece: Piece) => meets(piece, pending)
  // What the server says is there counts for more than what is hoped for.
  if (!pieces.filter(inside).every(piece => piece.kind === "free")) return pieces
  const shown: Shown[] = pieces.filter(piece => !inside(piece))
  shown.push({ kind: "pending", cell: null, ...pending })
  return shown.sort((one, other) => one.from - other.from)
}

function meets(one: Span, other: Span): boolean {
  return one.from < other.until && one.until > other.from
}

function looksOf(piece: Shown, mine: RowProps["mine"], held: RowProps["held"], past: number): Looks {
  if (piece.cell?.ref && mine.has(piece.cell.ref)) return "mine"
  if (piece.cell?.ref && held.has(piece.cell.ref)) return "offer"
  return (piece.kind === "free" || piece.kind === "noCoach") && piece.from < past ? "past" : piece.kind
}

function sayState(piece: Shown, looks: Looks, zone: string): string {
  const { state } = words.grid
  if (looks === "held" && piece.cell?.until) return state.heldUntil(formatTime(piece.cell.until, zone))
  if (looks === "offer" && piece.cell?.until) return state.offerUntil(formatTime(piece.cell.until, zone))
  if (looks === "closed") return piece.cell?.reason || state.closed
  return state[looks]
}

/** For the ear, which hears no hatching. */
function speak(piece: Shown, looks: Looks, state: string): string {
  return looks === "closed" && piece.cell?.reason ? words.grid.state.closedFor(piece.cell.reason) : state
}

function placed(scale: Scale, span: Span): CSSProperties {
  const left = placeOf(scale, span.from)
  return { left: `${left}%`, width: `${placeOf(scale, span.until) - left}%` }
}

/** One's place in the line, as long as there is room for. */
function shortly(piece: Span, line: Wait): string {
  const shown = Math.min(piece.until, line.until) - Math.max(piece.from, line.from)
  return shown < HOUR ? words.waitlist.placeShort(line.place) : words.waitlist.place(line.place)
}

/** Where a span is in a piece that it meets. */
function within(piece: Span, span: Span): CSSProperties {
  const part = (instant: number) => (100 * (instant - piece.from)) / (piece.until - piece.from)
  const left = Math.max(0, part(span.from))
  return { left: `${left}%`, width: `${Math.min(100, part(span.until)) - left}%` }
}

/** Late in the day what is said of a selection goes to the left of its end, where there is room. */
function labelled(scale: Scale, span: Span): CSSProperties {
  return { ...placed(scale, span), justifyContent: placeOf(scale, span.from) > 70 ? "flex-end" : "flex-start" }
}
