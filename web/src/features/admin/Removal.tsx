import type { Stored } from "../../api/collections"
import { Button } from "../../ui/Button"
import { Dialog } from "../../ui/Dialog"
import { Form } from "../../ui/Form"
import { Notice } from "../../ui/Notice"
import { staff } from "../../words/staff"
import type { EditorProps } from "./Editor"

/** Asks once more before something is taken away. */
export function Removal<Item extends Stored, Draft>(props: EditorProps<Item, Draft> & { readonly item: Item }) {
  const { club, kind, item, changed, onSettle, onClose } = props
  const { collection, nameOf, says } = kind
  const name = nameOf(item)
  return (
    <Dialog title={`${says.remove}: ${name}`} onClose={onClose}>
      {changed && <Notice trouble>{staff.changedMeanwhile}</Notice>}
      <p>{says.removeText}</p>
      <Form
        key={item.version}
        submit={says.remove ?? ""}
        act={() =>
          onSettle(async () => {
            await collection.remove?.(club.slug, item)
            return staff.listing.done(`${says.remove}: ${name}`)
          })
        }
      />
      <Button look="quiet" onClick={onClose}>
        {staff.listing.keep}
      </Button>
    </Dialog>
  )
}
