import { useState } from "react"
import type { Club } from "../../api/catalogue"
import type { Stored } from "../../api/collections"
import { Form } from "../../ui/Form"
import { Notice } from "../../ui/Notice"
import { staff } from "../../words/staff"
import { Sheet } from "../booking/Sheet"
import type { Kind } from "./Listing"

export interface EditorProps<Item extends Stored, Draft> {
  readonly club: Club
  readonly kind: Kind<Item, Draft>
  readonly item: Item | null
  /** Whether somebody else has changed it meanwhile: it is shown as it is now. */
  readonly changed: boolean
  readonly onSettle: (act: () => Promise<string>) => Promise<void>
  readonly onClose: () => void
}

/** The form of one thing, new or as it is. */
export function Editor<Item extends Stored, Draft>(props: EditorProps<Item, Draft>) {
  const { club, kind, item, changed, onSettle, onClose } = props
  const { collection, Fields, says } = kind
  const [draft, setDraft] = useState<Draft>(() => (item ? kind.draftOf(item) : kind.empty))
  const set = (changes: Partial<Draft>) => setDraft(before => ({ ...before, ...changes }))
  const submit = kind.submitOf ? kind.submitOf(draft, item) : staff.listing.save
  return (
    <Sheet title={item ? staff.listing.changeOf(kind.nameOf(item)) : says.add} onClose={onClose}>
      {changed && <Notice trouble>{staff.changedMeanwhile}</Notice>}
      <Form
        submit={submit ?? staff.listing.save}
        ready={submit !== null}
        act={() =>
          onSettle(async () => {
            const answer = await (item
              ? collection.change(club.slug, item, draft)
              : collection.create(club.slug, draft))
            return says.saved?.(draft, answer) ?? staff.listing.saved
          })
        }
      >
        {problem => <Fields club={club} draft={draft} set={set} problem={problem} item={item} />}
      </Form>
    </Sheet>
  )
}
