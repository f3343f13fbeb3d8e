import { useQuery, useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import { endFeed, feedQuery, makeFeed } from "../../api/calendar"
import { Button } from "../../ui/Button"
import { Notice, Trouble } from "../../ui/Notice"
import { words } from "../../words/words"
import styles from "./Account.module.css"

const said = words.account.feed

/** The private address of one's own calendar: made, shown once, replaced and ended. */
export function CalendarFeed() {
  const queries = useQueryClient()
  const { data, error } = useQuery(feedQuery)
  const [address, setAddress] = useState<string | null>(null)
  const [trouble, setTrouble] = useState<unknown>(null)
  const doing = (work: Promise<string | null>) => {
    setTrouble(null)
    work
      .then(made => {
        setAddress(made)
        return queries.invalidateQueries(feedQuery)
      })
      .catch(setTrouble)
  }
  if (error) return <Trouble error={error} />
  if (!data) return null
  return (
    <>
      <p>{said.text}</p>
      {trouble !== null && <Trouble error={trouble} />}
      {address !== null && (
        <Notice>
          {said.once}
          <code className={styles["address"]}>{address}</code>
        </Notice>
      )}
      <p className={styles["actions"]}>
        <Button onClick={() => doing(makeFeed())}>{data.active ? said.replace : said.make}</Button>
        {data.active && <Button onClick={() => doing(endFeed().then(() => null))}>{said.end}</Button>}
      </p>
    </>
  )
}
