import type { Member } from "../../api/desk"
import { Button } from "../../ui/Button"
import { staff } from "../../words/staff"
import styles from "./staff.module.css"

interface Props {
  readonly members: readonly Member[]
  readonly onChoose: (member: Member) => void
}

/** Members who are called as was typed, to choose one. */
export function Suggested({ members, onChoose }: Props) {
  if (members.length === 0) return null
  return (
    <ul className={styles["suggested"]} aria-label={staff.atDesk.suggested}>
      {members.map(member => (
        <li key={member.id}>
          <Button onClick={() => onChoose(member)}>
            {member.name} <small className={styles["quiet"]}>{member.email}</small>
          </Button>
        </li>
      ))}
    </ul>
  )
}
