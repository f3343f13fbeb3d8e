import { useState } from "react"
import type { Entry } from "../../api/waitlist"
import { Button } from "../../ui/Button"
import { Notice } from "../../ui/Notice"
import { formatDate, formatTime } from "../../words/format"
import { words } from "../../words/words"
import { OfferCard } from "./OfferCard"
import { sentenceFor } from "./refusals"
import { useEntryActions } from "./useEntryActions"
import { type EntryWords, useEntryWords } from "./useEntryPlace"
import { useWaiting } from "./useWaiting"
import styles from "./waitlist.module.css"

/** All that one waits for, what is offered first; nothing where one waits for nothing. */
export function WaitingList() {
  const { entries, ahead } = useWaiting()
  const wordsOf = useEntryWords(entries)
  const [done, setDone] = useState<string | null>(null)
  const isOffered = (entry: Entry) => entry.status === "offered"
  const sorted = [...entries.filter(isOffered), ...entries.filter(entry => !isOffered(entry))]
  return (
    <>
      {done !== null && <Notice>{done}</Notice>}
      {sorted.length > 0 && (
        <>
          <h2>{words.waitlist.title}</h2>
          <ul className={styles["list"]}>
            {sorted.map(entry => (
              <li key={entry.id}>
                {isOffered(entry) ? (
                  <OfferCard entry={entry} said={wordsOf(entry)} ahead={ahead} onDone={setDone} />
                ) : (
                  <WaitingItem entry={entry} said={wordsOf(entry)} onDone={setDone} />
                )}
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  )
}

interface ItemProps {
  readonly entry: Entry
  readonly said: EntryWords
  readonly onDone: (said: string) => void
}

function WaitingItem({ entry, said, onDone }: ItemProps) {
  const { busy, error, leave } = useEntryActions()
  return (
    <div className={styles["waiting"]}>
      <h3>{said.span}</h3>
      <p>
        <b>{entry.status === "held" ? words.waitlist.held : words.waitlist.place(entry.position)}</b>
        {[said.court, fateOf(entry, said), limitOf(entry, said.zone)].filter(Boolean).map(part => ` · ${part}`)}
      </p>
      {error !== null && <Notice trouble>{sentenceFor(error)}</Notice>}
      <div className={styles["answers"]}>
        <Button
          disabled={busy}
          onClick={async () => {
            if (await leave(entry)) onDone(words.waitlist.left(said.what))
          }}
        >
          {words.waitlist.leave}
        </Button>
      </div>
    </div>
  )
}

function fateOf(entry: Entry, said: EntryWords): string {
  if (!entry.auto_book) return words.waitlist.offers
  return entry.max_price === null ? words.waitlist.booksAnyway : words.waitlist.books(said.money(entry.max_price))
}

function limitOf({ not_after }: Entry, zone: string): string | null {
  return not_after && words.waitlist.wantedUntil(`${formatDate(not_after, zone)}, ${formatTime(not_after, zone)}`)
}
