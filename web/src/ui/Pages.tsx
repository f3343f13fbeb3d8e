import type { ComponentType } from "react"
import { Link, Route, Switch } from "wouter"
import { words } from "../words/words"
import { Page } from "./Page"

/** Paths and what is shown there. */
export type Routes = readonly (readonly [path: string, page: ComponentType])[]

interface Props {
  readonly routes: Routes
  /** Where to go from an address that there is not, and what that is called. */
  readonly back: readonly [href: string, name: string]
}

/** The page of the address, or that there is none. */
export function Pages({ routes, back: [href, name] }: Props) {
  return (
    <Switch>
      {routes.map(([route, page]) => (
        <Route key={route} path={route} component={page} />
      ))}
      <Route>
        <Page title={words.trouble.notFound} narrow>
          <p>{words.trouble.notFoundText}</p>
          <Link href={href}>{name}</Link>
        </Page>
      </Route>
    </Switch>
  )
}
