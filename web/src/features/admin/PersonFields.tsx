import type { Person, PersonDraft } from "../../api/resources"
import { Field } from "../../ui/Field"
import { Select } from "../../ui/Select"
import { staff } from "../../words/staff"
import { Check } from "./fields/Checks"
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
      {admin && (
        <Select
          label={says.role}
          value={draft.role}
          onChange={event => set({ role: event.target.value as PersonDraft["role"] })}
        >
          {Object.entries(says.roles).map(([role, name]) => (
            <option key={role} value={role}>
              {name}
            </option>
          ))}
        </Select>
      )}
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
