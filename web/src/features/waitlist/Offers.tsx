import { useEffect, useState } from "react"
import { useSession } from "../../api/useSession"
import { useLive } from "../../live/useLive"
import { Button } from "../../ui/Button"
import { formatTime } from "../../words/format"
import { words } from "../../words/words"
import { OfferCard } from "./OfferCard"
import { useEntryWords } from "./useEntryPlace"
import { useOutcomes } from "./useOutcomes"
import { useWaiting } from "./useWaiting"
import styles from "./waitlist.module.css"

interface Props {
  /** Whether the page below shows what is offered itself. */
  readonly quiet: boolean
}

/** What is offered to whoever is signed in, whatever they look at, and what has become of what they waited for. */
export function Offers({ quiet }: Props) {
  const session = useSession()
  return session && <Own key={session.user.id} quiet={quiet} />
}

function Own({ quiet }: Props) {
  const { connection } = useLive()
  const { entries, ahead } = useWaiting()
  const wordsOf = useEntryWords(entries)
  const [done, setDone] = useState<string | null>(null)
  useOutcomes(setDone)
  useEffect(() => connection.open(), [connection])
  const offered = entries.filter(entry => entry.status === "offered")
  const spoken = offered.map(entry => {
    const said = wordsOf(entry)
    return words.waitlist.turnSaid(said.what, formatTime(entry.offer?.until ?? "", said.zone))
  })
  return (
    <section className={styles["bar"]} aria-label={words.waitlist.region}>
      <p className={styles["spoken"]} role="status">
        {[...spoken, done].filter(Boolean).join(" ")}
      </p>
      {done !== null && (
        <div className={styles["offer"]}>
          <p className={styles["offered"]}>{done}</p>
          <Button onClick={() => setDone(null)}>{words.waitlist.close}</Button>
        </div>
      )}
      {!quiet &&
        offered.map(entry => (
          <OfferCard key={entry.id} entry={entry} said={wordsOf(entry)} ahead={ahead} onDone={setDone} />
        ))}
    </section>
  )
}
