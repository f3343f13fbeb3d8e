import { words } from "../../words/words"
import styles from "./screen.module.css"
import { shiftAt } from "./shift"

/** The code that staff type, large enough to be read across a room. With each new code it is shifted, as the wall is. */
export function Pairing({ code, ended }: { code: string | null; ended: boolean }) {
  const says = words.screen.pairing
  return (
    <main className={styles["pairing"]} style={shiftAt(Date.now())}>
      <h1>{ended ? says.ended : says.title}</h1>
      {code === null ? (
        <p>{says.unreachable}</p>
      ) : (
        <>
          <p className={styles["code"]}>{code}</p>
          <p>{says.what(`${location.host}/admin/screens`)}</p>
          <p className={styles["quiet"]}>{says.waiting}</p>
        </>
      )}
    </main>
  )
}
