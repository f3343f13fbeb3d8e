import { Link } from "wouter"
import { Notice } from "../../ui/Notice"
import { words } from "../../words/words"

/** What others than staff see of a page for staff; signed out, with the way in. */
export function StaffOnly({ signIn = false }: { signIn?: boolean }) {
  return (
    <Notice>
      {words.screen.admin.staffOnly}{" "}
      {signIn && (
        <Link href={`/login?next=${encodeURIComponent(location.pathname + location.search)}`}>
          {words.screen.admin.signIn}
        </Link>
      )}
    </Notice>
  )
}
