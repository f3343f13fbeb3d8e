import { createHash } from "node:crypto"
import fc from "fast-check"
import { expect, it } from "vitest"
import { sha256 } from "./sha256"

it("hashes what FIPS 180-4 gives as examples", () => {
  expect(sha256("")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  expect(sha256("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  expect(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).toBe(
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  )
})

it("hashes any text as Node does", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 150 }), text => {
      expect(sha256(text)).toBe(createHash("sha256").update(new TextEncoder().encode(text)).digest("hex"))
    }),
  )
})
