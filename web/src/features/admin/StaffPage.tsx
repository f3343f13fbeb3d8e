import type { ReactNode } from "react"
import { Link, useLocation, useSearch } from "wouter"
import type { Club } from "../../api/catalogue"
import { useClub } from "../../api/useClub"
import { useRole } from "../../api/useRole"
import { useSession } from "../../api/useSession"
import { Trouble } from "../../ui/Notice"
import { Page } from "../../ui/Page"
import { useWide } from "../../ui/useWide"
import { staff } from "../../words/staff"
import { PLACES } from "./places"
import { StaffOnly } from "./StaffOnly"
import styles from "./staff.module.css"

/** Whose page it is, and whether whoever looks is an administrator. */
export interface Standing {
  readonly club: Club
  readonly admin: boolean
}

interface Props {
  readonly title: string
  readonly children: (standing: Standing) => ReactNode
}

/** The frame of every page for staff: its heading, the way to the others, and a word to whoever it is not for. */
export function StaffPage({ title, children }: Props) {
  const session = useSession()
  const { club, error } = useClub()
  const role = useRole(club)
  return (
    <Page title={title}>
      {error !== null && <Trouble error={error} />}
      {session === null && <StaffOnly signIn />}
      {session !== null && role === "player" && <StaffOnly />}
      {session !== null && club && (role === "staff" || role === "admin") && (
        <div className={styles["frame"]}>
          <Menu />
          <div key={session.user.id} className={styles["content"]}>
            {children({ club, admin: role === "admin" })}
          </div>
        </div>
      )}
    </Page>
  )
}

/** The way to the other pages: beside this one, or folded above it where there is no room. */
function Menu() {
  const wide = useWide()
  const [here] = useLocation()
  const club = new URLSearchParams(useSearch()).get("club")
  const search = club === null ? "" : `?club=${encodeURIComponent(club)}`
  const list = (
    <nav aria-label={staff.menu}>
      <ul className={styles["menu"]}>
        {PLACES.map(([path, name]) => (
          <li key={path}>
            <Link href={path + search} aria-current={path === here ? "page" : undefined}>
              {name}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  )
  if (wide) return list
  return (
    <details className={styles["folded"]}>
      <summary>{staff.menu}</summary>
      {list}
    </details>
  )
}
