import type { Club } from "../../api/catalogue"
import { type Rule, type RuleDraft, rules } from "../../api/setup"
import { formatMoney } from "../../words/format"
import { staff } from "../../words/staff"
import { type Kind, Listing } from "./Listing"
import { RuleFields } from "./RuleFields"
import { StaffPage } from "./StaffPage"
import { daysInWords } from "./week"

const says = staff.prices

/** The rules that change what courts cost. */
export function PricesPage() {
  return (
    <StaffPage title={says.title}>
      {({ club, admin }) => (
        <>
          <p>
            {says.text} {!admin && says.adminOnly}
          </p>
          <Listing club={club} title={says.title} kind={kindOf(club)} may={admin} />
        </>
      )}
    </StaffPage>
  )
}

function kindOf(club: Club): Kind<Rule, RuleDraft> {
  return {
    collection: rules,
    columns: [
      { head: says.name, of: ({ name }) => name },
      { head: says.effect, short: true, of: rule => effectOf(rule, club.currency) },
      { head: says.when, of: whenOf },
    ],
    nameOf: ({ name }) => name,
    empty: {
      name: "",
      effect: "percent",
      value: 0,
      priority: 0,
      indoor: null,
      weekdays: [],
      from_time: null,
      to_time: null,
    },
    draftOf: ({ name, effect, value, priority, indoor, weekdays, from_time, to_time }) => ({
      name,
      effect,
      value,
      priority,
      indoor,
      weekdays: [...weekdays],
      from_time,
      to_time,
    }),
    Fields: RuleFields,
    says,
  }
}

function effectOf({ effect, value }: Rule, currency: string): string {
  if (effect === "percent") return says.percentOf(value)
  const money = formatMoney(value, currency)
  return effect === "override" ? says.overrideOf(money) : says.amountOf(money, value > 0)
}

/** All conditions of a rule, in words. */
function whenOf(rule: Rule): string {
  const place = rule.indoor === null ? null : says.places[rule.indoor ? "indoor" : "outdoor"]
  const others = [rule.from_date, rule.to_date, rule.min_lead, rule.max_lead].some(each => each !== null)
  const parts = [
    place,
    rule.court_ids.length > 0 && says.some,
    daysInWords(rule.weekdays),
    rule.from_time && `${rule.from_time}–${rule.to_time}`,
    (others || rule.tiers.length > 0) && says.more,
  ]
  return parts.filter(Boolean).join(" · ") || says.always
}
