import { useEffect } from "react"
import { useParams } from "wouter"
import { LiveContext } from "../../live/useLive"
import { words } from "../../words/words"
import { Pairing } from "./Pairing"
import styles from "./screen.module.css"
import { useScreen } from "./useScreen"
import { Wall } from "./Wall"

/** The screen on a club's wall: nothing to touch, and nobody who does. */
export function ScreenPage() {
  const { club = "" } = useParams()
  return <Screen key={club} club={club} />
}

function Screen({ club }: { club: string }) {
  const { state, life } = useScreen(club)
  useEffect(() => {
    const { dataset } = document.documentElement
    dataset["theme"] ??= "dark"
    document.title = `${words.screen.title} · ${words.app.name}`
  }, [])
  if (state.kind === "pairing") return <Pairing club={club} code={state.code} ended={state.ended} />
  if (state.kind === "starting") {
    return (
      <main className={styles["pairing"]}>
        <h1>{words.screen.starting}</h1>
      </main>
    )
  }
  return (
    <LiveContext value={life.live}>
      <Wall club={club} shown={state.shown} life={life} />
    </LiveContext>
  )
}
