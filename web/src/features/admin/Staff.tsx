import { later } from "../../ui/later"
import { Pages, type Routes } from "../../ui/Pages"
import { words } from "../../words/words"

/** What is below /admin; each page is fetched when it is opened. `places.ts` has them in the order of the menu. */
const ROUTES: Routes = [
  ["/admin", later("TodayPage", () => import("./TodayPage"))],
  ["/admin/waitlist", later("WaitlistPage", () => import("./WaitlistPage"))],
  ["/admin/closures", later("ClosuresPage", () => import("./ClosuresPage"))],
  ["/admin/hours", later("HoursPage", () => import("./HoursPage"))],
  ["/admin/courts", later("CourtsPage", () => import("./CourtsPage"))],
  ["/admin/coaches", later("CoachesPage", () => import("./CoachesPage"))],
  ["/admin/equipment", later("EquipmentPage", () => import("./EquipmentPage"))],
  ["/admin/prices", later("PricesPage", () => import("./PricesPage"))],
  ["/admin/rules", later("RulesPage", () => import("./RulesPage"))],
  ["/admin/people", later("PeoplePage", () => import("./PeoplePage"))],
  ["/admin/usage", later("UsagePage", () => import("./UsagePage"))],
  ["/admin/audit", later("AuditPage", () => import("./AuditPage"))],
  ["/admin/outbox", later("OutboxPage", () => import("./OutboxPage"))],
  ["/admin/screens", later("ScreensPage", () => import("./ScreensPage"))],
]

/** The pages for staff. */
export function Staff() {
  return <Pages routes={ROUTES} back={["/admin", words.app.staff]} />
}
