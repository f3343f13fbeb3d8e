import { type ComponentType, lazy } from "react"

/** A page that is fetched when it is first opened: only the grid is there at once. */
export function later<Name extends string>(name: Name, load: () => Promise<Record<Name, ComponentType>>) {
  return lazy(async () => ({ default: (await load())[name] }))
}
