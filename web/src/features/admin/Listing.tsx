import { useQuery, useQueryClient } from "@tanstack/react-query"
import { type ReactNode, useState } from "react"
import type { Club } from "../../api/catalogue"
import { type Collection, collectionQuery, type Stored } from "../../api/collections"
import { Problem } from "../../api/problem"
import { Button } from "../../ui/Button"
import type { ProblemOf } from "../../ui/Form"
import { Notice, Trouble } from "../../ui/Notice"
import { type Column, Table } from "../../ui/Table"
import { staff } from "../../words/staff"
import { Editor } from "./Editor"
import { Removal } from "./Removal"
import styles from "./staff.module.css"

/** What a form is given: the draft as it is, how to change it, and what has to be mended in a field. */
export interface Drafting<Item, Draft> {
  readonly club: Club
  readonly draft: Draft
  readonly set: (changes: Partial<Draft>) => void
  readonly problem: ProblemOf
  /** What is changed; null for something new. */
  readonly item: Item | null
}

/** One kind of thing that staff set up: how it is listed, asked for, changed and taken away. */
export interface Kind<Item extends Stored, Draft> {
  readonly collection: Collection<Item, Draft>
  readonly columns: readonly Column<Item>[]
  readonly nameOf: (item: Item) => string
  readonly empty: Draft
  readonly draftOf: (item: Item) => Draft
  /** Whether whoever looks may change this one; if they may change any. */
  readonly mayChange?: (item: Item) => boolean
  readonly Fields: (given: Drafting<Item, Draft>) => ReactNode
  /** What the button of the form says, if it depends on what is in it; null while it cannot be pressed. */
  readonly submitOf?: (draft: Draft, item: Item | null) => string | null
  readonly says: {
    readonly add: string
    readonly none: string
    readonly remove?: string
    readonly removeText?: string
    /** What is said once it is saved. `answer` is the server's. */
    readonly saved?: (draft: Draft, answer: unknown) => string
  }
}

interface Props<Item extends Stored, Draft> {
  readonly club: Club
  readonly title: string
  readonly kind: Kind<Item, Draft>
  /** Whether whoever looks may change anything. */
  readonly may?: boolean
}

type Open<Item> =
  | { readonly what: "edit"; readonly item: Item | null }
  | { readonly what: "remove"; readonly item: Item }

/** A list of things with what can be done about them: the one way in which staff set a club up. */
export function Listing<Item extends Stored, Draft>({ club, title, kind, may = true }: Props<Item, Draft>) {
  const { collection, columns, nameOf, says, mayChange = () => true } = kind
  const queries = useQueryClient()
  const { data, error, refetch } = useQuery(collectionQuery(club.slug, collection))
  const [open, setOpen] = useState<Open<Item> | null>(null)
  const [said, setSaid] = useState<string | null>(null)
  const [changed, setChanged] = useState(false)
  const show = (next: Open<Item> | null) => {
    setOpen(next)
    setChanged(false)
    if (next) setSaid(null)
  }

  /** Does it and says so; what somebody else has changed meanwhile is shown anew. */
  async function settle(act: () => Promise<string>) {
    try {
      setSaid(await act())
      show(null)
    } catch (problem) {
      if (!(problem instanceof Problem && (problem.status === 412 || problem.status === 404))) throw problem
      const fresh = (await refetch()).data?.find(({ id }) => id === open?.item?.id)
      if (fresh) setOpen({ what: open?.what ?? "edit", item: fresh })
      setChanged(true)
    } finally {
      // Prices, hours and courts are the grid's too, by the version that the club has.
      await Promise.all([
        queries.invalidateQueries({ queryKey: ["admin"] }),
        queries.invalidateQueries({ queryKey: ["clubs"] }),
      ])
    }
  }

  return (
    <>
      {said !== null && <Notice>{said}</Notice>}
      {error && <Trouble error={error} />}
      {may && (
        <p>
          <Button look="primary" onClick={() => show({ what: "edit", item: null })}>
            {says.add}
          </Button>
        </p>
      )}
      {data?.length === 0 && <p className={styles["quiet"]}>{says.none}</p>}
      {data && data.length > 0 && (
        <Table
          caption={title}
          columns={columns}
          rows={data}
          keyOf={({ id }) => id}
          {...(may && {
            actions: (item: Item) =>
              mayChange(item) && (
                <>
                  <Button
                    aria-label={staff.listing.changeOf(nameOf(item))}
                    onClick={() => show({ what: "edit", item })}
                  >
                    {staff.listing.change}
                  </Button>
                  {says.remove && (
                    <Button
                      aria-label={`${says.remove}: ${nameOf(item)}`}
                      onClick={() => show({ what: "remove", item })}
                    >
                      {says.remove}
                    </Button>
                  )}
                </>
              ),
          })}
        />
      )}
      {open?.what === "edit" && (
        <Editor
          key={open.item ? `${open.item.id} ${open.item.version}` : "new"}
          club={club}
          kind={kind}
          item={open.item}
          changed={changed}
          onSettle={settle}
          onClose={() => show(null)}
        />
      )}
      {open?.what === "remove" && (
        <Removal
          club={club}
          kind={kind}
          item={open.item}
          changed={changed}
          onSettle={settle}
          onClose={() => show(null)}
        />
      )}
    </>
  )
}
