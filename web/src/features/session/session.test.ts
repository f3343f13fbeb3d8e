import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { Browser, Server, type Tab } from "./stage"

let server: Server

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] })
  server = new Server()
})

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

async function signedIn(browser = new Browser(server)): Promise<Tab> {
  const tab = await browser.open()
  await tab.session.signIn("player@courtside.example", "secret")
  server.asked.length = 0
  vi.advanceTimersByTime(1_000)
  return tab
}

it("renews a session whose access token has expired once, and sends what was refused again", async () => {
  const tab = await signedIn()
  server.expire()
  expect(await tab.ask()).toBe("ok")
  expect(server.asked).toEqual(["/api/bookings", "/api/auth/refresh", "/api/bookings"])
})

it("renews a session before the request if it knows that the token is about to expire", async () => {
  const tab = await signedIn()
  vi.advanceTimersByTime(880_000)
  expect(await tab.ask()).toBe("ok")
  expect(server.asked).toEqual(["/api/auth/refresh", "/api/bookings"])
})

it("renews once for all that was refused at the same time", async () => {
  const tab = await signedIn()
  server.expire()
  expect(await Promise.all([tab.ask(), tab.ask(), tab.ask()])).toEqual(["ok", "ok", "ok"])
  expect(server.renewals()).toBe(1)
})

it("renews once for all tabs, and all of them know", async () => {
  const browser = new Browser(server)
  const one = await signedIn(browser)
  const other = await browser.open()
  server.expire()
  expect(await Promise.all([one.ask(), other.ask()])).toEqual(["ok", "ok"])
  expect(server.renewals()).toBe(1)
  expect(one.session.session()).toEqual(other.session.session())
  expect(one.session.session()?.expires).toBe(Date.now() + 900_000)
})

it("would renew in each tab without the lock, which is what the lock is for", async () => {
  const browser = new Browser(server, { locks: false })
  const one = await signedIn(browser)
  const other = await browser.open()
  server.expire()
  let open = () => {}
  server.gate = new Promise(resolve => {
    open = resolve
  })
  const asked = Promise.allSettled([one.ask(), other.ask()])
  await vi.waitFor(() => expect(server.renewals()).toBe(2))
  open()
  await asked
})

it("signs out in every tab when the session was ended elsewhere, and says so in a plain sentence", async () => {
  const browser = new Browser(server)
  const one = await signedIn(browser)
  const other = await browser.open()
  server.revoke()
  const problem = await one.ask().catch(error => error)
  const { sentenceFor } = await import("../booking/refusals")
  const { Problem } = await import("../../api/problem")
  expect(sentenceFor(new Problem(problem.code, problem.message))).toBe("You are signed out. Sign in and book again.")
  expect([one.session.session(), other.session.session()]).toEqual([null, null])
  expect(one.session.hasEnded()).toBe(true)
  await one.ask().catch(() => undefined)
  expect(server.renewals()).toBe(1) // nobody is there to renew for
  await one.session.signIn("player@courtside.example", "secret")
  expect(one.session.hasEnded()).toBe(false)
})

it("signs out in every tab by a press in one, which has not ended by itself", async () => {
  const browser = new Browser(server)
  const one = await signedIn(browser)
  const other = await browser.open()
  await one.session.signOut()
  expect(other.session.session()).toBeNull()
  expect([one.session.hasEnded(), other.session.hasEnded()]).toEqual([false, false])
})

it("stays signed in while the server cannot be reached", async () => {
  const tab = await signedIn()
  server.expire()
  server.away = true
  await expect(tab.ask()).rejects.toMatchObject({ code: "unreachable" })
  expect(tab.session.session()).not.toBeNull()
  server.away = false
  expect(await tab.ask()).toBe("ok")
})

it("does not try a wrong old password twice, nor take it for the end of the session", async () => {
  const tab = await signedIn()
  await expect(tab.session.changePassword("wrong", "a better one")).rejects.toMatchObject({ code: "bad_credentials" })
  expect(server.asked).toEqual(["/api/auth/password"])
  expect(tab.session.session()).not.toBeNull()
})

it("does not take a wrong code for a session that has ended", async () => {
  const tab = await signedIn()
  await expect(tab.session.exchange("totp/off", { code: "000000" })).rejects.toMatchObject({ code: "totp_wrong" })
  expect(server.asked).toEqual(["/api/auth/totp/off"])
  expect(tab.session.session()).not.toBeNull()
})
