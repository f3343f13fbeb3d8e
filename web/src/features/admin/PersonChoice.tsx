import { useQuery } from "@tanstack/react-query"
import { useState } from "react"
import type { Club } from "../../api/catalogue"
import { type Member, suggestedQuery } from "../../api/desk"
import { Field } from "../../ui/Field"
import { useSettled } from "../../ui/useSettled"
import { staff } from "../../words/staff"
import { Suggested } from "./Suggested"

const says = staff.audit
/** A single letter finds half the club. */
const LEAST = 2

interface Props {
  readonly club: Club
  readonly onChoose: (member: Member) => void
}

/** Finds a member by name or address. */
export function PersonChoice({ club, onChoose }: Props) {
  const [text, setText] = useState("")
  const search = useSettled(text.trim())
  const looking = search.length >= LEAST && text.trim() === search
  const { data } = useQuery({ ...suggestedQuery(club.slug, search), enabled: looking })
  return (
    <div>
      <Field
        label={says.person}
        type="search"
        autoComplete="off"
        value={text}
        onChange={event => setText(event.target.value)}
      />
      <div aria-live="polite">
        {looking && data && <Suggested members={data} onChoose={onChoose} />}
        {looking && data?.length === 0 && <p>{staff.people.none}</p>}
      </div>
    </div>
  )
}
