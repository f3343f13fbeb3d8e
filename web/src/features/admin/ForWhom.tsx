import { useQuery } from "@tanstack/react-query"
import { useState } from "react"
import type { Club } from "../../api/catalogue"
import { suggestedQuery } from "../../api/desk"
import { Button } from "../../ui/Button"
import { Field } from "../../ui/Field"
import { useSettled } from "../../ui/useSettled"
import { staff } from "../../words/staff"
import type { Whom } from "../booking/whom"
import { Suggested } from "./Suggested"
import styles from "./staff.module.css"

const says = staff.atDesk
const LEAST = 2

interface Props {
  readonly club: Club
  readonly whom: Whom
  readonly onWhom: (whom: Whom) => void
}

/** Whom a booking is for: oneself, a member who is chosen by name, or whoever has an account with an address. */
export function ForWhom({ club, whom, onWhom }: Props) {
  const [text, setText] = useState("")
  const search = useSettled(text.trim())
  const looking = search.length >= LEAST
  const { data } = useQuery({ ...suggestedQuery(club.slug, search), enabled: looking && !whom?.name })
  if (whom?.name) {
    return (
      <div className={styles["actions"]}>
        <p className={styles["chosen"]}>
          {says.forThem(whom.name)} <small className={styles["quiet"]}>{whom.email}</small>
        </p>
        <Button
          onClick={() => {
            setText("")
            onWhom(null)
          }}
        >
          {says.change}
        </Button>
      </div>
    )
  }
  const members = looking && text.trim() === search ? data : undefined
  return (
    <>
      <Field
        label={says.forWhom}
        hint={says.forWhomHint}
        type="search"
        autoComplete="off"
        value={text}
        onChange={event => {
          setText(event.target.value)
          onWhom(whomOf(event.target.value.trim()))
        }}
      />
      <div aria-live="polite">
        {members && (
          <Suggested members={members} onChoose={({ name, email }) => onWhom({ email, name: name || email })} />
        )}
        {members?.length === 0 && !text.includes("@") && <p>{says.nobody}</p>}
      </div>
    </>
  )
}

/** What is typed is an address, nothing, or not clear yet. */
function whomOf(text: string): Whom {
  if (text === "") return null
  return /^[^\s@]+@[^\s@]+$/.test(text) ? { email: text, name: "" } : undefined
}
