import type { Club } from "../../api/catalogue"
import { type Pool, type PoolDraft, pools } from "../../api/setup"
import { Field } from "../../ui/Field"
import { formatMoney } from "../../words/format"
import { staff } from "../../words/staff"
import { Choice } from "./fields/Choice"
import { Money } from "./fields/Money"
import { Name } from "./fields/Name"
import { type Drafting, type Kind, Listing } from "./Listing"
import { StaffPage } from "./StaffPage"

const says = staff.equipment

/** What can be rented, and how many there are. */
export function EquipmentPage() {
  return (
    <StaffPage title={says.title}>
      {({ club }) => <Listing club={club} title={says.title} kind={kindOf(club)} />}
    </StaffPage>
  )
}

function kindOf(club: Club): Kind<Pool, PoolDraft> {
  return {
    collection: pools,
    columns: [
      { head: says.name, of: ({ name }) => name },
      { head: says.quantity, figures: true, of: ({ quantity }) => quantity },
      { head: says.price, figures: true, of: ({ price }) => formatMoney(price, club.currency) },
      { head: says.per, of: ({ per }) => says.pers[per as keyof typeof says.pers] },
    ],
    nameOf: ({ name }) => name,
    empty: { name: "", quantity: 1, price: 0, per: "booking" },
    draftOf: ({ name, quantity, price, per }) => ({ name, quantity, price, per }),
    Fields,
    says,
  }
}

function Fields({ club, draft, set, problem }: Drafting<Pool, PoolDraft>) {
  return (
    <>
      <Name label={says.name} draft={draft} set={set} problem={problem} />
      <Field
        label={says.quantity}
        name="quantity"
        type="number"
        required
        min={0}
        defaultValue={draft.quantity}
        problem={problem("quantity")}
        onChange={event => set({ quantity: Number(event.target.value) })}
      />
      <Money
        label={says.price}
        name="price"
        currency={club.currency}
        value={draft.price}
        problem={problem("price")}
        onChange={price => set({ price })}
      />
      <Choice label={says.per} value={draft.per ?? "booking"} choices={says.pers} onChange={per => set({ per })} />
    </>
  )
}
