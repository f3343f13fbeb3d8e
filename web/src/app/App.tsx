import { type RefObject, Suspense, useEffect, useRef } from "react"
import { Route, Switch, useLocation } from "wouter"
import { GridPage } from "../features/grid/GridPage"
import { Offers } from "../features/waitlist/Offers"
import { later } from "../ui/later"
import { Pages, type Routes } from "../ui/Pages"
import { words } from "../words/words"
import { ErrorBoundary } from "./ErrorBoundary"
import { Shell } from "./Shell"

/** Every address of the page. The server answers each with the page: see PAGES in server/edge/page.py. */
const ROUTES: Routes = [
  ["/", GridPage],
  ["/login", later("LoginPage", () => import("../features/session/LoginPage"))],
  ["/account", later("AccountPage", () => import("../features/session/AccountPage"))],
  ["/bookings", later("BookingsPage", () => import("../features/bookings/BookingsPage"))],
  ["/register", later("RegisterPage", () => import("../features/session/RegisterPage"))],
  ["/forgot", later("ForgotPage", () => import("../features/session/ForgotPage"))],
  ["/verify", later("VerifyPage", () => import("../features/session/VerifyPage"))],
  ["/reset", later("ResetPage", () => import("../features/session/ResetPage"))],
  ["/admin/*?", later("Staff", () => import("../features/admin/Staff"))],
]

const Screen = later("ScreenPage", () => import("../features/screen/ScreenPage"))

/** Nobody stands at a wall screen to press a button, so it loads itself again. */
const SCREEN_AGAIN = 30_000

export function App() {
  return (
    <Switch>
      <Route path="/screen/:club">
        <ErrorBoundary again={SCREEN_AGAIN}>
          <Suspense>
            <Screen />
          </Suspense>
        </ErrorBoundary>
      </Route>
      <Route>
        <Framed />
      </Route>
    </Switch>
  )
}

function Framed() {
  const [path] = useLocation()
  const shown = useRef(path)
  return (
    <Shell after={<Offers quiet={path === "/bookings"} />}>
      <ErrorBoundary key={path}>
        <Suspense>
          <Arrival path={path} shown={shown} />
          <Pages routes={ROUTES} back={["/", words.trouble.toCourts]} />
        </Suspense>
      </ErrorBoundary>
    </Shell>
  )
}

/**
 * A new page is read out from its heading on, as after following a link to another document. Beside the page in its
 * Suspense, so that it waits for a page that has to be fetched.
 */
function Arrival({ path, shown }: { path: string; shown: RefObject<string> }) {
  useEffect(() => {
    if (shown.current === path) return
    shown.current = path
    scrollTo(0, 0)
    document.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true })
  }, [path, shown])
  return null
}
