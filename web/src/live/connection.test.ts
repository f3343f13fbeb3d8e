import { describe, expect, it } from "vitest"
import { digestOf } from "./day"
import { Stage, snap, TOPIC, watching } from "./stage"

describe("the connection", () => {
  it("opens with the first day that is looked at, and is live once the day is known", async () => {
    const stage = new Stage()
    expect(stage.sockets).toEqual([])
    stage.ticket = { ticket: "t" }
    stage.topics.watch(TOPIC)
    const socket = await stage.welcome()
    expect(socket.heard()).toEqual([{ t: "hello", topics: [TOPIC], ticket: "t" }])
    expect(stage.mark.kind).toBe("catching-up")
    socket.tell({ t: "snap", ...snap({ 1: 4 }) })
    expect(stage.mark.kind).toBe("live")
    expect(stage.topics.row(TOPIC, 1)?.v).toBe(4)
  })

  it("takes nothing for true when the network is said to be gone, until the server answers or does not", async () => {
    const { stage, socket } = await watching()
    stage.connection.wake(true)
    expect(stage.mark.kind).toBe("catching-up")
    socket.tell({ t: "snap", ...snap({}, { full: false }) })
    expect(stage.mark.kind).toBe("live")
    stage.connection.wake(true)
    await stage.pass(9_000)
    expect(stage.mark.kind).toBe("offline")
  })

  it("comes back with what it has and asks only for the rest", async () => {
    const { stage, socket } = await watching()
    socket.end(1006)
    expect(stage.mark.kind).toBe("catching-up")
    await stage.pass(500)
    const next = await stage.welcome(snap({ 1: 5 }, { full: false }))
    expect(next.heard()[0]).toEqual({ t: "hello", topics: [{ ...TOPIC, epoch: "one", have: { 1: 4, 2: 0 } }] })
    expect(stage.mark.kind).toBe("live")
    expect([stage.topics.row(TOPIC, 1)?.v, stage.topics.row(TOPIC, 2)?.v]).toEqual([5, 0])
  })

  it("asks anew after two digests running that are not its own, and not after one", async () => {
    const { stage, socket } = await watching()
    const name = "riverside/2026-12-01"
    const day = stage.topics.day(TOPIC)
    if (!day) throw new Error("the day is not known")
    socket.tell({ t: "ping", digest: { [name]: "0" } })
    socket.tell({ t: "ping", digest: { [name]: digestOf(day) } })
    socket.tell({ t: "ping", digest: { [name]: "0" } })
    expect(socket.heard()).toEqual([{ t: "pong" }, { t: "pong" }, { t: "pong" }])
    socket.tell({ t: "ping", digest: { [name]: "0" } })
    expect(socket.heard()).toEqual([{ t: "pong" }, { t: "resync", topics: [TOPIC] }])
    socket.tell({ t: "ping", digest: {} })
    expect(socket.heard()).toEqual([{ t: "pong" }])
  })

  it("asks for the whole day when a row is of another epoch, and shows what it had until that comes", async () => {
    const { stage, socket } = await watching()
    socket.tell({ t: "row", ...TOPIC, epoch: "two", row: { court: 1, v: 1, cells: [] } })
    expect(socket.heard()).toEqual([{ t: "resync", topics: [TOPIC] }])
    expect(stage.topics.row(TOPIC, 1)?.v).toBe(4)
    socket.tell({ t: "snap", ...snap({ 1: 1 }, { epoch: "two" }) })
    expect(stage.topics.head(TOPIC)?.courts).toEqual([1])
  })

  it("passes on what of one's own has changed, and after each welcome whatever may have", async () => {
    const { stage, socket } = await watching()
    expect(stage.told.splice(0)).toEqual(["bookings", "waitlist"])
    socket.tell({ t: "you", what: ["waitlist"] })
    expect(stage.told.splice(0)).toEqual(["waitlist"])
    socket.end(1006)
    await stage.pass(500)
    expect(stage.told).toEqual([])
    await stage.welcome(snap({ 1: 4, 2: 0 }, { full: false }))
    expect(stage.told).toEqual(["bookings", "waitlist"])
  })

  it("opens for whoever is signed in though no day is looked at, once", async () => {
    const stage = new Stage()
    stage.ticket = { you: true }
    stage.connection.open()
    stage.connection.open()
    const socket = await stage.welcome()
    expect(socket.heard()).toEqual([{ t: "hello", topics: [], you: true }])
    expect(stage.mark.kind).toBe("live")
    stage.topics.watch(TOPIC)
    await stage.pass(300)
    expect(socket.heard()).toEqual([{ t: "sub", topics: [TOPIC] }])
    expect(stage.sockets).toHaveLength(1)
  })

  it("stays away as long as the server asked for", async () => {
    const { stage, socket } = await watching()
    socket.tell({ t: "bye", code: 4001, after_ms: 9000 })
    socket.end(4001)
    await stage.pass(8999)
    expect(stage.sockets).toHaveLength(1)
    await stage.pass(1)
    expect(stage.sockets).toHaveLength(2)
  })

  it("takes a socket on which nothing comes any more for dead, and says since when", async () => {
    const { stage, socket } = await watching()
    const heard = stage.time
    await stage.pass(33_000)
    expect(socket.closed).toBe(true)
    expect(stage.mark.kind).toBe("catching-up")
    await stage.pass(4_000)
    expect(stage.mark).toEqual({ kind: "offline", since: heard })
  })

  it("finds out at once after sleep whether the socket still lives", async () => {
    const { stage, socket } = await watching()
    stage.connection.wake()
    expect(socket.heard()).toEqual([{ t: "sub", topics: [{ ...TOPIC, epoch: "one", have: { 1: 4, 2: 0 } }] }])
    socket.tell({ t: "snap", ...snap({}, { full: false }) })
    await stage.pass(5_000)
    expect(socket.closed).toBe(false)
    stage.connection.wake()
    await stage.pass(5_000)
    expect(socket.closed).toBe(true)
  })

  it("does not wait for its turn when the network comes back", async () => {
    const { stage, socket } = await watching()
    socket.end(1006)
    stage.connection.wake()
    await stage.welcome(snap({}, { full: false }))
    expect(stage.sockets).toHaveLength(2)
    expect(stage.mark.kind).toBe("live")
  })

  it("reads over HTTP where no socket comes through, and stops when one does", async () => {
    const stage = new Stage()
    stage.grid = snap({ 1: 7 })
    stage.topics.watch(TOPIC)
    for (let failure = 0; failure < 2; failure++) {
      await stage.pass(1_000)
      stage.socket.end(1006)
    }
    await stage.pass(0)
    expect(stage.mark.kind).toBe("polling")
    expect(stage.topics.row(TOPIC, 1)?.v).toBe(7)
    stage.grid = snap({ 1: 8 })
    await stage.pass(5_000)
    expect(stage.topics.row(TOPIC, 1)?.v).toBe(8)
    const readAt = stage.time
    stage.grid = null
    await stage.pass(5_000)
    expect(stage.mark).toEqual({ kind: "offline", since: readAt })
    await stage.welcome(snap({}, { full: false }))
    expect(stage.mark.kind).toBe("live")
  })

  it("tries more and more seldom while nobody answers", async () => {
    const stage = new Stage()
    stage.topics.watch(TOPIC)
    const waits: number[] = []
    for (let failure = 0; failure < 9; failure++) {
      await stage.pass(0)
      const [count, from] = [stage.sockets.length, stage.time]
      stage.socket.end(1006)
      while (stage.sockets.length === count) await stage.pass(100)
      waits.push(stage.time - from)
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000])
  })

  it("says when a session has ended, and tries seldom where it is not allowed", async () => {
    const { stage, socket } = await watching()
    socket.end(4009)
    expect(stage.ended).toBe(1)
    await stage.pass(500)
    stage.socket.end(4503)
    await stage.pass(59_000)
    expect(stage.sockets).toHaveLength(2)
  })

  it("passes over what it does not know", async () => {
    const { stage, socket } = await watching()
    for (const data of ["", "[]", "null", '{"t":"news"}', new ArrayBuffer(1)]) socket.deliver(data)
    expect(stage.mark.kind).toBe("live")
    expect(socket.heard()).toEqual([])
  })

  it("says little however fast somebody leafs through the days", async () => {
    const { stage, socket, leave } = await watching()
    let back = leave
    for (let day = 2; day < 30; day++) {
      const next = stage.topics.watch({ ...TOPIC, date: `2026-12-${day}` })
      back()
      back = next
      await stage.pass(20)
    }
    await stage.pass(300)
    expect(socket.said.length).toBeLessThanOrEqual(8)
    expect(socket.said.at(-1)).toEqual({ t: "sub", topics: [{ ...TOPIC, date: "2026-12-29" }] })
  })

  it("keeps a day that cannot be watched apart from one that is not known yet", async () => {
    const { stage, socket } = await watching()
    socket.tell({ t: "error", code: "bad_date", detail: "There is no grid of this day.", ...TOPIC })
    expect(stage.topics.refusal(TOPIC)).toBe("bad_date")
    expect(stage.topics.head(TOPIC)).toBeUndefined()
    expect(stage.mark.kind).toBe("live")
  })

  it("begins anew when somebody signs in, with what it has", async () => {
    const { stage, socket } = await watching()
    stage.ticket = { ticket: "new" }
    stage.connection.reconnect()
    expect(socket.closed).toBe(true)
    const next = await stage.welcome(snap({}, { full: false }))
    expect(next.heard()[0]).toMatchObject({ t: "hello", ticket: "new", topics: [{ epoch: "one" }] })
  })
})
