/** The copy of the page that starts the screen without network, and whether the server has a newer page. */

const CACHE = "courtside-screen"
const OURS = /<script type="module"[^>]* src="([^"]*\/assets\/[^"]+)"/

let copied = false

/** Have the copy served when there is no network. Browsers allow that over TLS and on the device itself only. */
export function serveCopy(): void {
  void navigator.serviceWorker?.register("/screen-worker.js", { scope: "/screen/" }).catch(() => undefined)
}

/**
 * Ask this address for the page as it is now, reload if it is another one than what runs here, and keep a copy if not.
 * Gives the time of the answer, which is exact to the second; null if there was none of ours.
 */
export async function lookForNewPage(): Promise<number | null> {
  const response = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10_000) })
  const newest = OURS.exec(await response.clone().text())?.[1]
  // A hotel's wifi answers with a page of its own.
  if (!response.ok || newest === undefined) return null
  const running = document.querySelector<HTMLScriptElement>('script[type="module"][src]')?.getAttribute("src")
  if (running !== newest) location.reload()
  // A full disk is no reason not to show the courts.
  else if (!copied && "caches" in window)
    copied = await keepCopy(response).then(
      () => true,
      () => false,
    )
  const date = Date.parse(response.headers.get("Date") ?? "")
  return Number.isNaN(date) ? null : date
}

/** The files first: a page without them would be worse than none. */
async function keepCopy(page: Response): Promise<void> {
  const cache = await caches.open(CACHE)
  const loaded = performance.getEntriesByType("resource").map(entry => entry.name)
  const files = [...new Set(loaded.filter(name => new URL(name).pathname.includes("/assets/")))]
  await cache.addAll(files)
  await cache.put(location.pathname, page)
  const wanted = new Set([...files, new URL(location.pathname, location.href).href])
  for (const request of await cache.keys()) {
    if (!wanted.has(request.url)) await cache.delete(request)
  }
}
