import { words } from "../../words/words"
import styles from "./screen.module.css"
import { shiftAt } from "./shift"

interface Props {
  readonly club: string
  readonly code: string | null
  readonly ended: boolean
}

/** The code that staff type, large enough to be read across a room. With each new code it is shifted, as the wall is. */
export function Pairing({ club, code, ended }: Props) {
  const says = words.screen.pairing
  return (
    <main className={styles["pairing"]} style={shiftAt(Date.now())}>
      <h1>{ended ? says.ended : says.title}</h1>
      {code === null ? (
        <p>{says.unreachable}</p>
      ) : (
        <>
          <p className={styles["code"]}>{code}</p>
          <p>{says.what(`${location.host}/admin/screens?club=${club}`)}</p>
          <p className={styles["quiet"]}>{says.waiting}</p>
        </>
      )}
    </main>
  )
}
