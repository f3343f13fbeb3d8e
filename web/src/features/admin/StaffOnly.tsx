import { Link } from "wouter"
import { Notice } from "../../ui/Notice"
import { staff } from "../../words/staff"

/** What others than staff see of a page for staff; signed out, with the way in. */
export function StaffOnly({ signIn = false }: { signIn?: boolean }) {
  return (
    <Notice>
      {staff.only}{" "}
      {signIn && (
        <Link href={`/login?next=${encodeURIComponent(location.pathname + location.search)}`}>{staff.signIn}</Link>
      )}
    </Notice>
  )
}
