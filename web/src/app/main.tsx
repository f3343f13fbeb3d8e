import { QueryClient, QueryClientProvider } from "@tanstack/react-query"
import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import { SOCKET } from "../api/address"
import { clubsQuery } from "../api/catalogue"
import { fetchDay, fetchTicket } from "../api/grid"
import { Problem } from "../api/problem"
import { checkSession, keepFresh, onSession, session } from "../api/session"
import { createLive } from "../live/live"
import { LiveContext } from "../live/useLive"
import "../ui/base.css"
import "../ui/tokens.css"
import { App } from "./App"
import { reloadAfterDeploys } from "./deploys"
import { chooseTheme, chosenTheme } from "./theme"

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      // Asked also where the browser says that there is no network: a question that waits in silence tells nobody why.
      networkMode: "always",
      refetchOnReconnect: true,
      // What the server refuses it refuses again; what did not reach it may reach it now.
      retry: (count, error) => count < 2 && !(error instanceof Problem && error.status >= 400 && error.status < 500),
    },
    mutations: { networkMode: "always" },
  },
})

const live = createLive({
  url: SOCKET,
  fetchDay,
  // A public grid needs no word about who looks at it, and the cookie goes with the handshake anyway. A ticket is
  // worth its request where the grid is for members: asking for one renews a session that has expired.
  credentials: async () => {
    if (!session()) return {}
    const clubs = await queries.ensureQueryData(clubsQuery)
    if (clubs.some(club => club.grid_visibility !== "public")) return { you: true, ...(await fetchTicket()) }
    await keepFresh() // with a cookie that has expired nobody would be signed in on the socket, and nobody would say so
    return { you: true }
  },
  sessionEnded: () => void checkSession().catch(() => undefined),
  changed: what => {
    for (const name of session() ? what : []) void queries.invalidateQueries({ queryKey: [name] })
  },
})

let user = session()?.user.id
onSession(() => {
  if (session()?.user.id === user) return
  user = session()?.user.id
  // What one person was told is not for the next.
  queries.removeQueries({ predicate: query => query.queryKey[0] !== "clubs" })
  void queries.invalidateQueries()
  live.connection.reconnect()
})

reloadAfterDeploys()
chooseTheme(chosenTheme())
const place = document.getElementById("page")
if (!place) throw new Error("index.html has no place for the page.")
createRoot(place).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <LiveContext value={live}>
        <App />
      </LiveContext>
    </QueryClientProvider>
  </StrictMode>,
)
