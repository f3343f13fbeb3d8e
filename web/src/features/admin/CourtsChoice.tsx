import { useState } from "react"
import type { Court } from "../../api/catalogue"
import { staff } from "../../words/staff"
import styles from "./screens.module.css"

/** Which courts a screen shows: all, or some. */
export function CourtsChoice({ courts, chosen }: { courts: readonly Court[]; chosen: readonly number[] | null }) {
  const [all, setAll] = useState(chosen === null)
  const [picked, setPicked] = useState<ReadonlySet<number>>(() => new Set(chosen))
  const says = staff.screens
  return (
    <fieldset className={styles["choice"]}>
      <legend>{says.courts}</legend>
      <label>
        <input type="checkbox" name="all" checked={all} onChange={event => setAll(event.target.checked)} /> {says.all}
      </label>
      {!all &&
        courts.map(({ id, name }) => (
          <label key={id}>
            <input
              type="checkbox"
              name="court"
              value={id}
              // The browser says what is missing, as for any field that has to be filled in.
              required={picked.size === 0}
              checked={picked.has(id)}
              onChange={event => {
                const next = new Set(picked)
                if (event.target.checked) next.add(id)
                else next.delete(id)
                setPicked(next)
              }}
            />{" "}
            {name}
          </label>
        ))}
    </fieldset>
  )
}

/** What was chosen: null for all. */
export function courtsOf(form: FormData): number[] | null {
  return form.has("all") ? null : form.getAll("court").map(Number)
}
