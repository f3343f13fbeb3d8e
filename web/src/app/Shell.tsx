import { type ReactNode, useState } from "react"
import { Link, useLocation } from "wouter"
import { useClub } from "../api/useClub"
import { useIsStaff } from "../api/useRole"
import { useSession } from "../api/useSession"
import { useSignIn } from "../features/session/next"
import { Button, buttonClass } from "../ui/Button"
import { words } from "../words/words"
import { Mark } from "./Mark"
import styles from "./Shell.module.css"
import { Standing } from "./Standing"
import { chooseTheme, chosenTheme, type Theme } from "./theme"

const NEXT: Readonly<Record<Theme, Theme>> = { auto: "light", light: "dark", dark: "auto" }

/** What is around every page but the wall screen: the club, how fresh it is, and who is signed in. */
export function Shell({ children, after }: { children: ReactNode; after: ReactNode }) {
  const { club } = useClub()
  const session = useSession()
  const isStaff = useIsStaff(club)
  const [path] = useLocation()
  const signIn = useSignIn()
  return (
    <>
      <a className={styles["skip"]} href="#content">
        {words.app.skip}
      </a>
      <header className={styles["header"]}>
        <Link href="/" className={styles["club"]}>
          <span>{club?.name ?? words.app.name}</span>
        </Link>
        <Mark />
        <nav className={styles["menu"]} aria-label={words.app.menu}>
          <ThemeChoice />
          {session ? (
            <>
              {isStaff && (
                <Link href="/admin" className={buttonClass("quiet")}>
                  {words.app.staff}
                </Link>
              )}
              <Link href="/bookings" className={buttonClass("quiet")}>
                {words.app.bookings}
              </Link>
              <Link href="/account" className={buttonClass("quiet")} title={session.user.email}>
                {words.app.account}
              </Link>
            </>
          ) : (
            path !== "/login" && (
              <Link href={signIn} className={buttonClass("quiet")}>
                {words.app.signIn}
              </Link>
            )
          )}
        </nav>
      </header>
      <Standing />
      <main id="content">{children}</main>
      {after}
    </>
  )
}

function ThemeChoice() {
  const [theme, setTheme] = useState(chosenTheme)
  const label = words.app.theme[theme]
  return (
    <Button
      look="quiet"
      aria-label={label}
      title={label}
      onClick={() => {
        chooseTheme(NEXT[theme])
        setTheme(NEXT[theme])
      }}
    >
      <span aria-hidden="true">{{ auto: "◐", light: "○", dark: "●" }[theme]}</span>
    </Button>
  )
}
