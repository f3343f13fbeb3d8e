import { useQuery } from "@tanstack/react-query"
import type { Club } from "../../api/catalogue"
import { rulesQuery } from "../../api/rules"
import { Trouble } from "../../ui/Notice"
import { staff } from "../../words/staff"
import { RulesForm } from "./RulesForm"
import { draftOf, inWords, type RulesDraft, SECTIONS } from "./rules"
import { StaffPage } from "./StaffPage"
import styles from "./staff.module.css"

const says = staff.rules

/** The rules by which players book: read by staff, changed by administrators. */
export function RulesPage() {
  return (
    <StaffPage title={says.title}>
      {({ club, admin }) => (
        <>
          <p>
            {says.text} {!admin && says.adminOnly}
          </p>
          <Rules club={club} admin={admin} />
        </>
      )}
    </StaffPage>
  )
}

function Rules({ club, admin }: { club: Club; admin: boolean }) {
  const { data, error } = useQuery(rulesQuery(club.id))
  if (error) return <Trouble error={error} />
  if (!data) return null
  return admin ? <RulesForm key={club.id} stored={data} /> : <RulesList rules={draftOf(data)} />
}

function RulesList({ rules }: { rules: RulesDraft }) {
  return (
    <div className={styles["cards"]}>
      {SECTIONS.map(([title, names]) => (
        <section key={title} aria-label={title}>
          <h2>{title}</h2>
          <dl className={styles["figures"]}>
            {names.map(rule => (
              <div key={rule}>
                <dt>{says.labels[rule]}</dt>
                <dd>{inWords(rules, rule)}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </div>
  )
}
