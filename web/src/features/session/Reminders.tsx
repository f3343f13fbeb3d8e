import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query"
import { meQuery } from "../../api/account"
import { chooseReminders, type Lead } from "../../api/calendar"
import { Trouble } from "../../ui/Notice"
import { words } from "../../words/words"
import styles from "./Account.module.css"

const said = words.account.reminders
const LEADS: readonly Lead[] = [24, 2]

/** When one is reminded by mail. A choice is kept as soon as it is made. */
export function Reminders() {
  const queries = useQueryClient()
  const { data } = useQuery(meQuery)
  const { mutate, variables, isPending, error } = useMutation({
    mutationFn: chooseReminders,
    onSettled: () => queries.invalidateQueries(meQuery),
  })
  if (!data) return null
  const chosen: readonly number[] = isPending ? variables : data.reminders
  return (
    <>
      {error && <Trouble error={error} />}
      <fieldset className={styles["choices"]}>
        <legend>{said.legend}</legend>
        {LEADS.map(lead => (
          <label key={lead}>
            <input
              type="checkbox"
              checked={chosen.includes(lead)}
              onChange={event =>
                mutate(LEADS.filter(each => (each === lead ? event.target.checked : chosen.includes(each))))
              }
            />
            {said.before(lead)}
          </label>
        ))}
      </fieldset>
    </>
  )
}
