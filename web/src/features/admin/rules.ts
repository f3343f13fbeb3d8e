/** A club's rules as a form has them, one beside the other, and what has changed in them. */

import type { DayWindow } from "../../api/collections"
import type { AdminClub, ClubChange } from "../../api/rules"
import { staff } from "../../words/staff"
import { weekInWords } from "./week"

const says = staff.rules

/** What is different for a tier; null: as for everybody. */
export interface Tier {
  readonly tier: string
  readonly days: number | null
  readonly priority: number | null
}

/** What a number may be, and what it counts. */
interface Bounds {
  readonly min: number
  readonly max: number
  readonly of: "minutes" | "days" | "percent" | "count"
}

const LONG = 366 * 1440
const MANY = 2 ** 31 - 1

export const NUMBERS = {
  granularity: { min: 5, max: 1440, of: "minutes" },
  min_duration: { min: 5, max: 1440, of: "minutes" },
  max_duration: { min: 5, max: 1440, of: "minutes" },
  gap_exempt_minutes: { min: 0, max: LONG, of: "minutes" },
  horizon_days: { min: 0, max: 731, of: "days" },
  cancel_deadline: { min: 0, max: LONG, of: "minutes" },
  late_cancel_fee_percent: { min: 0, max: 100, of: "percent" },
  offer_minutes: { min: 1, max: LONG, of: "minutes" },
  offer_cutoff: { min: 0, max: LONG, of: "minutes" },
} as const satisfies Record<string, Bounds>

/** Limits; empty is none. */
export const LIMITS = {
  active_bookings: { min: 0, max: MANY, of: "count" },
  minutes_per_day: { min: 0, max: MANY, of: "minutes" },
  minutes_per_week: { min: 0, max: MANY, of: "minutes" },
  prime_minutes_per_week: { min: 0, max: MANY, of: "minutes" },
} as const satisfies Record<string, Bounds>

type NumberRule = keyof typeof NUMBERS
type LimitRule = keyof typeof LIMITS
type YesRule = "refuse_gaps" | "verified_email_required"

export type RulesDraft = Pick<AdminClub, "name" | "grid_visibility" | "stacking"> &
  Readonly<Record<NumberRule, number>> &
  Readonly<Record<LimitRule, number | null>> &
  Readonly<Record<YesRule, boolean>> & {
    readonly horizon_release: string
    readonly prime_windows: readonly DayWindow[]
    readonly tiers: readonly Tier[]
  }

export type Rule = keyof RulesDraft

/** The rules by what they are about, in the order of the page. */
export const SECTIONS: readonly (readonly [title: string, rules: readonly Rule[]])[] = [
  [says.sections.club, ["name", "grid_visibility", "verified_email_required"]],
  [says.sections.lengths, ["granularity", "min_duration", "max_duration", "refuse_gaps", "gap_exempt_minutes"]],
  [says.sections.horizon, ["horizon_days", "horizon_release"]],
  [says.sections.cancelling, ["cancel_deadline", "late_cancel_fee_percent"]],
  [
    says.sections.limits,
    ["active_bookings", "minutes_per_day", "minutes_per_week", "prime_minutes_per_week", "prime_windows"],
  ],
  [says.sections.waitlist, ["offer_minutes", "offer_cutoff"]],
  [says.sections.tiers, ["tiers"]],
  [says.sections.prices, ["stacking"]],
]

export const isNumber = (rule: Rule): rule is NumberRule => rule in NUMBERS
export const isLimit = (rule: Rule): rule is LimitRule => rule in LIMITS
export const isYes = (rule: Rule): rule is YesRule => rule === "refuse_gaps" || rule === "verified_email_required"

/** What the server calls it. */
export function nameOf(rule: Rule): string {
  if (rule === "name" || rule === "grid_visibility" || rule === "stacking") return rule
  return isLimit(rule) ? `policy.quotas.${rule}` : `policy.${rule}`
}

export function draftOf({ name, grid_visibility, stacking, policy }: AdminClub): RulesDraft {
  const { quotas, tier_horizon_days, tier_priority, ...others } = policy
  const tiers = [...new Set([...Object.keys(tier_horizon_days), ...Object.keys(tier_priority)])].sort()
  return {
    name,
    grid_visibility,
    stacking,
    ...others,
    active_bookings: quotas.active_bookings ?? null,
    minutes_per_day: quotas.minutes_per_day ?? null,
    minutes_per_week: quotas.minutes_per_week ?? null,
    prime_minutes_per_week: quotas.prime_minutes_per_week ?? null,
    tiers: tiers.map(tier => ({
      tier,
      days: tier_horizon_days[tier] ?? null,
      priority: tier_priority[tier] ?? null,
    })),
  }
}

/** The rules that are not the same in both. */
export function changedRules(one: RulesDraft, other: RulesDraft): Rule[] {
  return SECTIONS.flatMap(([, rules]) => rules).filter(
    rule => JSON.stringify(one[rule]) !== JSON.stringify(other[rule]),
  )
}

/** A change of these rules to what the draft has; the server leaves the others as they are. */
export function bodyOf(rules: readonly Rule[], draft: RulesDraft): ClubChange {
  const body: Record<string, unknown> = {}
  const policy: Record<string, unknown> = {}
  for (const rule of rules) {
    if (rule === "tiers") {
      policy["tier_horizon_days"] = byTier(draft.tiers, ({ days }) => days)
      policy["tier_priority"] = byTier(draft.tiers, ({ priority }) => priority)
    } else if (isLimit(rule)) {
      policy["quotas"] = Object.fromEntries(Object.keys(LIMITS).map(limit => [limit, draft[limit as LimitRule]]))
    } else if (nameOf(rule) === rule) body[rule] = draft[rule]
    else policy[rule] = draft[rule]
  }
  return Object.keys(policy).length > 0 ? { ...body, policy } : body
}

function byTier(tiers: readonly Tier[], of: (tier: Tier) => number | null): Record<string, number> {
  return Object.fromEntries(
    tiers.flatMap(tier => {
      const value = of(tier)
      return value === null ? [] : [[tier.tier, value]]
    }),
  )
}

/** What a rule is, in words. */
export function inWords(draft: RulesDraft, rule: Rule): string {
  if (isNumber(rule)) return says.amount(draft[rule], NUMBERS[rule].of)
  if (isLimit(rule)) return draft[rule] === null ? says.noLimit : says.amount(draft[rule], LIMITS[rule].of)
  if (isYes(rule)) return draft[rule] ? says.yes : says.no
  if (rule === "grid_visibility") return says.visibilities[draft.grid_visibility]
  if (rule === "stacking") return says.stackings[draft.stacking]
  if (rule === "prime_windows") return weekInWords(draft.prime_windows) || says.noPrime
  if (rule === "tiers") return draft.tiers.map(tierInWords).join("; ") || says.noTiers
  return draft[rule]
}

function tierInWords({ tier, days, priority }: Tier): string {
  const parts = [days !== null && says.amount(days, "days"), priority !== null && says.priorityIs(priority)]
  return says.tierIs(tier, parts.filter(part => part !== false).join(", "))
}
