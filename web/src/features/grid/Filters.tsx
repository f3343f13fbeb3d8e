import type { Court } from "../../api/catalogue"
import { words } from "../../words/words"
import styles from "./Filters.module.css"
import type { View } from "./view"

interface Props {
  /** The coaches to choose from; none for strangers. */
  readonly coaches: readonly { readonly id: number; readonly name: string }[]
  readonly courts: readonly Court[]
  readonly view: View
  readonly onChange: (changes: Partial<View>) => void
}

/** Which courts are shown. What would leave nothing to choose is not asked. */
export function Filters({ courts, coaches, view, onChange }: Props) {
  const kinds = [...new Set(courts.map(court => court.kind))]
  const mixed = new Set(courts.map(court => court.indoor)).size > 1
  return (
    <search className={styles["filters"]} aria-label={words.grid.filters.label}>
      {(mixed || view.place) && (
        <label>
          {words.grid.filters.place}
          <select
            value={view.place ?? ""}
            onChange={event => onChange({ place: (event.target.value || null) as View["place"] })}
          >
            <option value="">{words.grid.filters.all}</option>
            <option value="indoor">{words.grid.filters.indoor}</option>
            <option value="outdoor">{words.grid.filters.outdoor}</option>
          </select>
        </label>
      )}
      {(kinds.length > 1 || view.kind) && (
        <label>
          {words.grid.filters.kind}
          <select value={view.kind ?? ""} onChange={event => onChange({ kind: event.target.value || null })}>
            <option value="">{words.grid.filters.all}</option>
            {kinds.map(kind => (
              <option key={kind}>{kind}</option>
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
            <option value="">{words.grid.filters.noMatter}</option>
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
