import { describe, expect, it } from "vitest"
import { snap, TOPIC, watching } from "./stage"

describe("subscribers", () => {
  it("are told of their own row only, and of the day only when more than rows changes", async () => {
    const { stage, socket } = await watching()
    const told: string[] = []
    stage.topics.onRow(TOPIC, 1, () => told.push("row 1"))
    stage.topics.onRow(TOPIC, 2, () => told.push("row 2"))
    stage.topics.onDay(TOPIC, () => told.push("day"))
    const head = stage.topics.head(TOPIC)
    const row = { court: 2, v: 1, cells: [] }
    socket.tell({ t: "row", ...TOPIC, epoch: "one", row })
    socket.tell({ t: "row", ...TOPIC, epoch: "one", row })
    expect(told).toEqual(["row 2"])
    expect(stage.topics.head(TOPIC)).toBe(head)
    socket.tell({ t: "snap", ...snap({ 1: 4, 2: 1 }, { config: 2 }) })
    expect(told).toEqual(["row 2", "day"])
  })

  it("share a day, which is left when the last one goes", async () => {
    const { stage, socket, leave } = await watching()
    const other = stage.topics.watch(TOPIC)
    leave()
    leave()
    await stage.pass(300)
    expect(socket.heard()).toEqual([])
    other()
    await stage.pass(300)
    expect(socket.heard()).toEqual([{ t: "unsub", topics: [TOPIC] }])
    socket.tell({ t: "row", ...TOPIC, epoch: "one", row: { court: 2, v: 9, cells: [] } })
    expect(stage.topics.row(TOPIC, 2)?.v).toBe(0)
  })
})
