import type { Person, PersonDraft } from "../../api/resources"
import { Field } from "../../ui/Field"
import { staff } from "../../words/staff"
import { Check } from "./fields/Checks"
import { Choice } from "./fields/Choice"
import type { Drafting } from "./Listing"

const says = staff.people

/** The form of a member. Roles are given by administrators. */
export function PersonFields({
  draft,
  set,
  problem,
  item,
  admin,
}: Drafting<Person, PersonDraft> & { readonly admin: boolean }) {
  return (
    <>
      {item === null && (
        <Field
          label={says.email}
          hint={says.emailHint}
          name="email"
          type="email"
          required
          autoComplete="off"
          value={draft.email}
          problem={problem("email")}
          onChange={event => set({ email: event.target.value })}
        />
      )}
      <Field
        label={says.name}
        name="name"
        maxLength={100}
        autoComplete="off"
        value={draft.name}
        problem={problem("name")}
        onChange={event => set({ name: event.target.value })}
      />
      {admin && <Choice label={says.role} value={draft.role} choices={says.roles} onChange={role => set({ role })} />}
      <Field
        label={says.tier}
        hint={says.tierHint}
        name="tier"
        maxLength={50}
        autoComplete="off"
        value={draft.tier ?? ""}
        problem={problem("tier")}
        onChange={event => set({ tier: event.target.value || null })}
      />
      {item !== null && (
        <Check
          label={says.suspend}
          hint={says.suspendHint}
          name="suspended"
          checked={draft.suspended}
          onChange={suspended => set({ suspended })}
        />
      )}
    </>
  )
}
