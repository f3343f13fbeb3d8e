import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import { Link, useSearchParams } from "wouter"
import { type Booking, pastQuery, upcomingQuery } from "../../api/myBookings"
import { useSession } from "../../api/useSession"
import { Button, buttonClass } from "../../ui/Button"
import { Notice, Trouble } from "../../ui/Notice"
import { Page } from "../../ui/Page"
import { useOpened } from "../../ui/useOpened"
import { formatDate } from "../../words/format"
import { words } from "../../words/words"
import { WaitingList } from "../waitlist/WaitingList"
import { BookingItem } from "./BookingItem"
import styles from "./Bookings.module.css"
import { CancelDialog } from "./CancelDialog"
import { MoveDialog } from "./MoveDialog"

/** One's own bookings: what is to come, with all that can be done about it, and what was. */
export function BookingsPage() {
  const session = useSession()
  return (
    <Page title={words.bookings.title}>
      {session ? (
        <Bookings key={session.user.id} />
      ) : (
        <p>
          {words.bookings.strangers} <Link href="/login?next=%2Fbookings">{words.app.signIn}</Link>
        </p>
      )}
    </Page>
  )
}

function Bookings() {
  const queries = useQueryClient()
  const [done, setDone] = useState<string | null>(null)
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(upcomingQuery)
  const upcoming = data?.pages.flatMap(page => page.items) ?? []

  // In the address, so that Back closes the question and not the page.
  const [search] = useSearchParams()
  const { open, close } = useOpened()
  const asked = (what: string) => upcoming.find(({ id }) => id === search.get(what))
  const [cancelled, moved] = [asked("cancel"), asked("move")]
  const ask = (what: "cancel" | "move", { id }: Booking) =>
    open(before => {
      const after = new URLSearchParams(before)
      after.set(what, id)
      return after
    })
  const leave = () =>
    close(before => {
      const after = new URLSearchParams(before)
      after.delete("cancel")
      after.delete("move")
      return after
    })
  const settled = (said: string) => {
    leave()
    setDone(said)
    void queries.invalidateQueries({ queryKey: ["bookings"] })
  }

  return (
    <>
      {done !== null && <Notice>{done}</Notice>}
      {error && <Trouble error={error} />}
      <WaitingList />
      <h2>{words.bookings.upcoming}</h2>
      {data && upcoming.length === 0 && (
        <div>
          <p>{words.bookings.none}</p>
          <Link href="/" className={buttonClass("primary")}>
            {words.bookings.find}
          </Link>
        </div>
      )}
      <ul className={styles["list"]} aria-busy={!data && !error}>
        {upcoming.map(booking => (
          <BookingItem key={booking.id} booking={booking}>
            <Button onClick={() => ask("move", booking)}>{words.bookings.move}</Button>
            <Button onClick={() => ask("cancel", booking)}>{words.bookings.cancel}</Button>
          </BookingItem>
        ))}
      </ul>
      {hasNextPage && (
        <Button disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {words.bookings.more}
        </Button>
      )}
      <Past />
      {cancelled && <CancelDialog booking={cancelled} onClose={leave} onDone={settled} />}
      {moved && <MoveDialog booking={moved} onClose={leave} onDone={settled} />}
    </>
  )
}

function Past() {
  const [open, setOpen] = useState(false)
  const { data, error, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({ ...pastQuery, enabled: open })
  const past = data?.pages.flatMap(page => page.items) ?? []
  const since = data?.pages.at(-1)?.from
  return (
    <details className={styles["past"]} onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>{words.bookings.past}</summary>
      {error && <Trouble error={error} />}
      <ul className={styles["list"]}>
        {past.map(booking => (
          <BookingItem key={booking.id} booking={booking} />
        ))}
      </ul>
      {since !== undefined && (
        <>
          <p>{words.bookings.since(formatDate(since, Intl.DateTimeFormat().resolvedOptions().timeZone))}</p>
          <Button disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {words.bookings.earlier}
          </Button>
        </>
      )}
    </details>
  )
}
