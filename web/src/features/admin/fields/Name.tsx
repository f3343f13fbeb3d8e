import { Field } from "../../../ui/Field"
import type { ProblemOf } from "../../../ui/Form"

interface Props {
  readonly label: string
  readonly hint?: string
  readonly draft: { readonly name: string }
  readonly set: (changes: { readonly name: string }) => void
  readonly problem: ProblemOf
}

/** What something is called: courts, coaches, equipment and rules must have a name. */
export function Name({ draft, set, problem, ...said }: Props) {
  return (
    <Field
      {...said}
      name="name"
      required
      maxLength={200}
      autoComplete="off"
      value={draft.name}
      problem={problem("name")}
      onChange={event => set({ name: event.target.value })}
    />
  )
}
