/** A part of the page that is gone, because another version was deployed meanwhile: the page is loaded again, once. */

const KEY = "courtside.reloaded"
/** A part that is gone again so soon is not gone by a deploy; then the reader is told. */
const PATIENCE = 60_000

export function reloadAfterDeploys(): void {
  addEventListener("vite:preloadError", event => {
    // Without a network there is nothing to load again, and what is shown is worth keeping.
    if (!navigator.onLine || Date.now() - (lastReload() ?? Date.now()) < PATIENCE) return
    event.preventDefault()
    location.reload()
  })
}

/** When it was last done, and remembers now; undefined where nothing can be remembered, so that there is no loop. */
function lastReload(): number | undefined {
  try {
    const last = Number(sessionStorage.getItem(KEY) ?? 0)
    sessionStorage.setItem(KEY, String(Date.now()))
    return last
  } catch {
    return undefined
  }
}
