/** Light or dark: as the device, unless somebody chose. */

export type Theme = "auto" | "light" | "dark"

const KEY = "courtside.theme"

/** What was chosen in this browser. */
export function chosenTheme(): Theme {
  try {
    const kept = localStorage.getItem(KEY)
    return kept === "light" || kept === "dark" ? kept : "auto"
  } catch {
    return "auto"
  }
}

/** Show the page so, and remember it. */
export function chooseTheme(theme: Theme): void {
  if (theme === "auto") delete document.documentElement.dataset["theme"]
  else document.documentElement.dataset["theme"] = theme
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // Storage is forbidden: it lasts as long as the page.
  }
}
