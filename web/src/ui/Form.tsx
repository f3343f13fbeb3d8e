import { type ReactNode, type SubmitEvent, useEffect, useRef, useState } from "react"
import { type FieldError, Problem } from "../api/problem"
import { Button } from "./Button"
import { Trouble } from "./Notice"

/** What has to be mended in a field, by its name. */
export type ProblemOf = (field: string) => string | undefined

interface Props {
  /** What the button says. */
  readonly submit: string
  /** Whether all is there that it needs; where the browser's own check of the fields is not enough. */
  readonly ready?: boolean
  /** Does it; what it throws is told, beside the fields that it names. */
  readonly act: (fields: Record<string, string>) => Promise<void>
  /** Sentences for refusals by their code, where the usual ones do not fit. */
  readonly told?: Readonly<Record<string, string>> | undefined
  /** The fields; `problem` gives what has to be mended in one. */
  readonly children?: (problem: ProblemOf) => ReactNode
}

/** Fields and the one button that sends them. */
export function Form({ submit, ready = true, act, told, children }: Props) {
  const [error, setError] = useState<unknown>(null)
  const [beside, setBeside] = useState<readonly FieldError[]>([])
  const [busy, setBusy] = useState(false)
  const form = useRef<HTMLFormElement>(null)
  const trouble = useRef<HTMLDivElement>(null)

  // Whoever cannot see the page is led to what has to be mended.
  useEffect(() => {
    if (beside.length > 0) form.current?.querySelector<HTMLElement>("[aria-invalid]")?.focus()
  }, [beside])

  async function send(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault()
    const { elements } = event.currentTarget
    const fields = Object.fromEntries([...new FormData(event.currentTarget)].map(([name, value]) => [name, `${value}`]))
    setBusy(true)
    try {
      await act(fields)
    } catch (problem) {
      const errors = problem instanceof Problem ? problem.errors : []
      const shown = errors.filter(({ field }) => elements.namedItem(field))
      setBeside(shown)
      setError(shown.length > 0 && shown.length === errors.length ? null : problem)
      setBusy(false)
    }
  }

  // A long form is sent from its end.
  useEffect(() => {
    if (error !== null) trouble.current?.scrollIntoView({ block: "nearest" })
  }, [error])

  return (
    <>
      <div ref={trouble}>{error !== null && <Trouble error={error} told={told} />}</div>
      <form ref={form} onSubmit={send}>
        {children?.(name => beside.find(({ field }) => field === name)?.detail)}
        <Button look="primary" type="submit" disabled={busy || !ready}>
          {submit}
        </Button>
      </form>
    </>
  )
}
