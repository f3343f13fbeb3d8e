import type { Court } from "../../api/catalogue"
import { capitalised } from "../../words/format"
import { words } from "../../words/words"
import styles from "./Filters.module.css"
import type { Changes, View } from "./view"

interface Props {
  /** The coaches to choose from; none for strangers. */
  readonly coaches: readonly { readonly id: number; readonly name: string }[]
  readonly courts: readonly Court[]
  readonly view: View
  readonly onChange: (changes: Changes) => void
}

/** Which courts are shown. What would leave nothing to choose is not asked. */
export function Filters({ courts, coaches, view, onChange }: Props) {
  const kinds = [...new Set(courts.map(court => court.kind))]
  const mixed = new Set(courts.map(court => court.indoor)).size > 1
  return (
    <search className={styles["filters"]} data-waiting={courts.length === 0} aria-label={words.grid.filters.label}>
      {(mixed || view.place) && (
        <label>
          {words.grid.filters.place}
          <select
            value={view.place ?? ""}
            onChange={event => onChange({ place: (event.target.value || null) as View["place"] })}
          >
            <option value="">{words.grid.filters.any}</option>
            <option value="indoor">{words.grid.filters.indoor}</option>
            <option value="outdoor">{words.grid.filters.outdoor}</option>
          </select>
        </label>
      )}
      {(kinds.length > 1 || view.kind) && (
        <label>
          {words.grid.filters.kind}
          <select value={view.kind ?? ""} onChange={event => onChange({ kind: event.target.value || null })}>
            <option value="">{words.grid.filters.any}</option>
            {kinds.map(kind => (
              <option key={kind} value={kind}>
                {capitalised(kind)}
              </option>
            ))}
          </select>
        </label>
      )}
      {coaches.length > 0 && (
        <label>
          {words.grid.filters.coach}
          <select
            value={view.coach ?? ""}
            onChange={({ target }) =>
              onChange({ coach: target.value === "any" ? "any" : Number(target.value) || null })
            }
          >
            <option value="">{words.grid.filters.noCoach}</option>
            <option value="any">{words.grid.filters.whoever}</option>
            {coaches.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
    </search>
  )
}
