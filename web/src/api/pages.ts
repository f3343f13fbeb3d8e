/** All pages of a list, one after the other: `{"items": […], "next": …}`. */

interface ListPage<Item> {
  readonly items: Item[]
  readonly next: string | null
}

export async function allPages<Item>(fetchPage: (cursor: string | null) => Promise<ListPage<Item>>): Promise<Item[]> {
  const items: Item[] = []
  let cursor: string | null = null
  do {
    const page: ListPage<Item> = await fetchPage(cursor)
    items.push(...page.items)
    cursor = page.next
  } while (cursor !== null)
  return items
}

/** Where a page of what is listed by number begins, in a query. */
export function numbered(cursor: string | null) {
  return { cursor: cursor === null ? null : Number(cursor), limit: 500 }
}
