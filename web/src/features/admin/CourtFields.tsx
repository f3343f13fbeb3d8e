import type { AdminCourt, CourtDraft } from "../../api/resources"
import { Field } from "../../ui/Field"
import { staff } from "../../words/staff"
import { Checks } from "./fields/Checks"
import { Choice } from "./fields/Choice"
import styles from "./fields/fields.module.css"
import { Money } from "./fields/Money"
import { Name } from "./fields/Name"
import type { Drafting } from "./Listing"

const says = staff.courts

/** The form of a court. */
export function CourtFields({
  club,
  draft,
  set,
  problem,
  item,
  courts,
}: Drafting<AdminCourt, CourtDraft> & { readonly courts: readonly AdminCourt[] }) {
  return (
    <>
      <Name label={says.name} draft={draft} set={set} problem={problem} />
      <Field
        label={says.kind}
        hint={says.kindHint}
        name="kind"
        required
        maxLength={50}
        autoComplete="off"
        value={draft.kind}
        problem={problem("kind")}
        onChange={event => set({ kind: event.target.value })}
      />
      <div className={styles["few"]}>
        <Choice
          label={says.where}
          value={draft.indoor ? "indoor" : "outdoor"}
          choices={says.places}
          onChange={place => set({ indoor: place === "indoor" })}
        />
        <Field
          label={says.surface}
          name="surface"
          maxLength={200}
          autoComplete="off"
          value={draft.surface}
          problem={problem("surface")}
          onChange={event => set({ surface: event.target.value })}
        />
      </div>
      <Money
        label={says.rate}
        name="base_rate"
        currency={club.currency}
        value={draft.base_rate}
        problem={problem("base_rate")}
        onChange={base_rate => set({ base_rate })}
      />
      <fieldset className={styles["checks"]}>
        <legend>{says.own}</legend>
        <p className={styles["hint"]}>{says.ownHint}</p>
        <div className={styles["few"]}>
          {(["min_duration", "max_duration", "start_alignment"] as const).map(name => (
            <Field
              key={name}
              label={says[name]}
              name={name}
              type="number"
              min={5}
              max={1440}
              step={5}
              defaultValue={draft[name] ?? ""}
              problem={problem(name)}
              onChange={event => set({ [name]: event.target.value === "" ? null : Number(event.target.value) })}
            />
          ))}
        </div>
      </fieldset>
      <Units draft={draft} set={set} problem={problem} item={item} courts={courts} />
      <Field
        label={says.position}
        name="position"
        type="number"
        required
        defaultValue={draft.position}
        problem={problem("position")}
        onChange={event => set({ position: Number(event.target.value) })}
      />
    </>
  )
}

type UnitsProps = Omit<Parameters<typeof CourtFields>[0], "club">

/** The courts that this one is made of: whichever is booked, the others are not free. */
function Units({ draft, set, problem, item, courts }: UnitsProps) {
  const larger = courts.filter(({ units }) => item !== null && units.includes(item.id))
  if (larger.length > 0)
    return <p className={styles["hint"]}>{says.partOf(larger.map(({ name }) => name).join(", "))}</p>
  const plain = courts.filter(({ id, units }) => units.length === 0 && id !== item?.id)
  return (
    <Checks
      legend={says.units}
      hint={says.unitsHint}
      name="units"
      choices={plain.map(({ id, name }) => ({ value: id, label: name }))}
      chosen={draft.units ?? []}
      problem={problem("units")}
      onChange={units => set({ units })}
    />
  )
}
