import { useQueryClient } from "@tanstack/react-query"
import { useEffect, useRef, useState } from "react"
import { Problem } from "../../api/problem"
import { type AdminClub, changeRules, fetchRules } from "../../api/rules"
import { Form } from "../../ui/Form"
import { Notice } from "../../ui/Notice"
import { staff } from "../../words/staff"
import { RuleField } from "./RuleField"
import { bodyOf, changedRules, draftOf, inWords, type Rule, type RulesDraft, SECTIONS } from "./rules"
import styles from "./staff.module.css"

const says = staff.rules

/** How saving went; `theirs`: the rules that somebody else has changed meanwhile, and how they were before. */
type Outcome = { readonly said: string } | { readonly theirs: readonly Rule[]; readonly before: RulesDraft }

/** The rules to be changed. What is saved is what was changed here, whatever else others have changed. */
export function RulesForm({ stored }: { stored: AdminClub }) {
  const queries = useQueryClient()
  const [base, setBase] = useState(stored)
  const [draft, setDraft] = useState(() => draftOf(stored))
  const [outcome, setOutcome] = useState<Outcome | null>(null)
  const [round, setRound] = useState(0)

  function show(club: AdminClub, next: RulesDraft, how: Outcome) {
    setBase(club)
    setDraft(next)
    setOutcome(how)
    setRound(round + 1)
  }

  async function save(from: AdminClub = base): Promise<void> {
    const was = draftOf(base)
    const mine = changedRules(was, draft)
    if (mine.length === 0) return show(base, draft, { said: says.nothing })
    checkTiers(draft)
    try {
      const saved = await changeRules(from.id, from.version, bodyOf(mine, draft))
      show(saved, draftOf(saved), { said: says.saved })
    } catch (problem) {
      if (!(problem instanceof Problem && problem.status === 412)) throw problem
      const fresh = await fetchRules(from.id)
      const now = draftOf(fresh)
      const theirs = changedRules(was, now)
      // The club has another version for other reasons too, as new opening hours: then what was looked at still holds.
      if (theirs.length === 0) return await save(fresh)
      const kept = Object.fromEntries(mine.map(rule => [rule, draft[rule]]))
      show(fresh, { ...now, ...kept }, { theirs, before: was })
    } finally {
      await queries.invalidateQueries({ queryKey: ["clubs"] })
    }
  }

  return (
    <div>
      {outcome && (
        <Outcomes key={`outcome ${round}`}>
          {"said" in outcome ? <Notice>{outcome.said}</Notice> : <Theirs {...outcome} base={base} draft={draft} />}
        </Outcomes>
      )}
      <Form key={`form ${round}`} submit={says.save} act={() => save()}>
        {problem => (
          <div className={styles["cards"]}>
            {SECTIONS.map(([title, rules]) => (
              <section key={title} aria-label={title}>
                <h2>{title}</h2>
                {rules.map(rule => (
                  <RuleField
                    key={rule}
                    rule={rule}
                    draft={draft}
                    set={changes => setDraft(before => ({ ...before, ...changes }))}
                    problem={problem}
                  />
                ))}
              </section>
            ))}
          </div>
        )}
      </Form>
    </div>
  )
}

/** How it went, brought before whoever has pressed a button far below. */
function Outcomes({ children }: { children: React.ReactNode }) {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => place.current?.focus(), [])
  return (
    <div ref={place} tabIndex={-1}>
      {children}
    </div>
  )
}

interface TheirsProps {
  readonly theirs: readonly Rule[]
  readonly before: RulesDraft
  readonly base: AdminClub
  readonly draft: RulesDraft
}

/** What somebody else has changed, rule by rule, and where that is not what is wanted here. */
function Theirs({ theirs, before, base, draft }: TheirsProps) {
  const now = draftOf(base)
  return (
    <Notice trouble>
      <p>{says.changed}</p>
      <ul>
        {theirs.map(rule => {
          const [was, is, wanted] = [before, now, draft].map(each => inWords(each, rule))
          return (
            <li key={rule}>
              {says.changedTo(says.labels[rule], was ?? "", is ?? "")} {wanted !== is && says.yours(wanted ?? "")}
            </li>
          )
        })}
      </ul>
      <p>{says.kept}</p>
    </Notice>
  )
}

/** Of two tiers of one name the server would see but one. */
function checkTiers({ tiers }: RulesDraft) {
  const twice = tiers.findIndex(({ tier }, at) => tiers.slice(0, at).some(other => other.tier === tier))
  if (twice < 0) return
  const errors = [{ field: `tier ${twice}`, detail: says.tierTwice }]
  throw new Problem("invalid_request", says.tierTwice, { status: 422, errors })
}
