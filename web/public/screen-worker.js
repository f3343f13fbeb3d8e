// Serves a wall screen's page from the copy that it made of itself (web/src/features/screen/copy.ts) while the server
// cannot be reached. Its scope is /screen/, so no other page is touched, and it answers nothing of the API.
const CACHE = "courtside-screen"
const PATIENCE = 5_000

addEventListener("install", () => skipWaiting())
addEventListener("activate", event => event.waitUntil(clients.claim()))
addEventListener("fetch", event => {
  const { request } = event
  const address = new URL(request.url)
  if (request.method !== "GET") return
  if (request.mode === "navigate") event.respondWith(newest(request, address.pathname))
  else if (address.pathname.includes("/assets/")) event.respondWith(kept(request))
})

async function newest(request, path) {
  try {
    const response = await fetch(request, { signal: AbortSignal.timeout(PATIENCE) })
    // While the server starts, what stands before it answers with an error page, and nobody is there to load again.
    if (response.status < 500) return response
    return (await copyOf(path)) ?? response
  } catch (trouble) {
    const copy = await copyOf(path)
    if (copy) return copy
    throw trouble
  }
}

async function kept(request) {
  return (await copyOf(request)) ?? fetch(request)
}

async function copyOf(request) {
  const cache = await caches.open(CACHE)
  return cache.match(request, { ignoreVary: true })
}
