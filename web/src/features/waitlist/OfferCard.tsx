import { useQueryClient } from "@tanstack/react-query"
import { useCallback } from "react"
import type { Entry } from "../../api/waitlist"
import { Button } from "../../ui/Button"
import { Notice } from "../../ui/Notice"
import { formatTime } from "../../words/format"
import { words } from "../../words/words"
import { Countdown } from "./Countdown"
import { sentenceFor } from "./refusals"
import { useEntryActions } from "./useEntryActions"
import type { EntryWords } from "./useEntryPlace"
import styles from "./waitlist.module.css"

interface Props {
  readonly entry: Entry
  readonly said: EntryWords
  readonly ahead: number
  /** It is booked, or not wanted, and this is to be said about it. */
  readonly onDone: (said: string) => void
}

/** What is offered: until when, and taking it or leaving it by one press. */
export function OfferCard({ entry, said, ahead, onDone }: Props) {
  const queries = useQueryClient()
  const { busy, error, claim, leave } = useEntryActions()
  const reread = useCallback(() => void queries.invalidateQueries({ queryKey: ["waitlist"] }), [queries])
  const { offer } = entry
  if (!offer) return null
  return (
    <div className={styles["offer"]}>
      <p className={styles["offered"]}>
        <b>{words.waitlist.turn}</b>
        <span>{said.what}</span>
        {offer.until && (
          <span className={styles["until"]}>
            <span aria-hidden="true">◷ </span>
            {words.waitlist.heldFor(formatTime(offer.until, said.zone))}
            {" · "}
            <Countdown until={offer.until} ahead={ahead} onOver={reread} />
          </span>
        )}
      </p>
      {error !== null && <Notice trouble>{sentenceFor(error)}</Notice>}
      <div className={styles["answers"]}>
        <Button
          look="primary"
          disabled={busy || !offer.until}
          onClick={async () => {
            if (await claim(entry)) onDone(words.waitlist.claimed(said.what))
          }}
        >
          {busy ? words.waitlist.claiming : words.waitlist.claim(said.money(offer.price))}
        </Button>
        <Button
          disabled={busy}
          onClick={async () => {
            if (await leave(entry)) onDone(words.waitlist.left(said.what))
          }}
        >
          {words.waitlist.decline}
        </Button>
      </div>
    </div>
  )
}
