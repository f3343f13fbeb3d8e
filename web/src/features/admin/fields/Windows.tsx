import { useId } from "react"
import { Button } from "../../../ui/Button"
import type { ProblemOf } from "../../../ui/Form"
import { staff } from "../../../words/staff"
import styles from "./fields.module.css"

export interface Window {
  readonly opens: string
  readonly closes: string
}

interface Props {
  /** What they are of, as a day. */
  readonly of: string
  readonly windows: readonly Window[]
  /** The server's name of each. */
  readonly nameOf: (index: number) => string
  readonly onChange: (windows: Window[]) => void
  readonly problem: ProblemOf
  /** What it is called when there are none. */
  readonly none?: string | undefined
}

const says = staff.hours
const USUAL: Window = { opens: "08:00", closes: "22:00" }

/** The stretches of a day; none: closed. One that closes before it opens runs past midnight. */
export function Windows({ of, windows, nameOf, onChange, problem, none = says.closed }: Props) {
  const id = useId()
  const put = (index: number, changes: Partial<Window>) =>
    onChange(windows.map((window, at) => (at === index ? { ...window, ...changes } : window)))
  return (
    <div className={styles["windows"]}>
      {windows.map((window, index) => {
        const name = nameOf(index)
        const wrong = problem(`${name}.opens`) ?? problem(`${name}.closes`) ?? problem(name)
        const about = wrong ? `${id}-${index}` : undefined
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a window is nothing but its place and its times
          <div key={index} className={styles["window"]}>
            {(["opens", "closes"] as const).map(end => (
              <input
                key={end}
                type="time"
                required
                name={`${name}.${end}`}
                aria-label={says[end](of)}
                aria-invalid={wrong ? true : undefined}
                aria-describedby={about}
                value={window[end] === "24:00" ? "00:00" : window[end]}
                onChange={event => put(index, { [end]: written(end, event.target.value) })}
              />
            ))}
            <Button
              aria-label={says.removeWindow(of, window.opens)}
              onClick={() => onChange(windows.filter((_, at) => at !== index))}
            >
              <span aria-hidden="true">✕</span>
            </Button>
            {index === windows.length - 1 && <More of={of} onMore={() => onChange([...windows, USUAL])} />}
            {wrong && (
              <p id={about} className={styles["problem"]}>
                {wrong}
              </p>
            )}
          </div>
        )
      })}
      {windows.length === 0 && (
        <div className={styles["window"]}>
          {none}
          <More of={of} onMore={() => onChange([USUAL])} />
        </div>
      )}
    </div>
  )
}

/** A clock has no 24:00: what closes at midnight closes at the end of the day. */
function written(end: "opens" | "closes", time: string): string {
  return end === "closes" && time === "00:00" ? "24:00" : time
}

function More({ of, onMore }: { of: string; onMore: () => void }) {
  return (
    <Button aria-label={says.addWindow(of)} title={says.addWindow(of)} onClick={onMore}>
      <span aria-hidden="true">+</span>
    </Button>
  )
}
