/**
 * SHA-256 (FIPS 180-4). Our own because `crypto.subtle` is missing where a page has no TLS, as on a club's wall screen
 * at http://192.168.…, and because it answers at once.
 */

const K = new Uint32Array(64)
const START = new Uint32Array(8)
fillConstants()

/** The hash of a text's UTF-8 bytes in hex. */
export function sha256(text: string): string {
  const bytes = new TextEncoder().encode(text)
  const padded = new Uint8Array((((bytes.length + 8) >> 6) << 6) + 64)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29))
  view.setUint32(padded.length - 4, bytes.length << 3)
  const state = START.slice()
  const words = new Uint32Array(64)
  for (let block = 0; block < padded.length; block += 64) {
    for (let i = 0; i < 16; i++) words[i] = view.getUint32(block + 4 * i)
    compress(state, words)
  }
  return [...state].map(word => word.toString(16).padStart(8, "0")).join("")
}

function compress(state: Uint32Array, words: Uint32Array): void {
  const w = (i: number) => words[i] as number
  for (let i = 16; i < 64; i++) {
    const [early, late] = [w(i - 15), w(i - 2)]
    const s0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3)
    const s1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10)
    words[i] = w(i - 16) + s0 + w(i - 7) + s1
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as Eight
  for (let i = 0; i < 64; i++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
    const t1 = h + s1 + ((e & f) ^ (~e & g)) + (K[i] as number) + w(i)
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
    const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c))
    h = g
    g = f
    f = e
    e = (d + t1) >>> 0
    d = c
    c = b
    b = a
    a = (t1 + t2) >>> 0
  }
  const after = [a, b, c, d, e, f, g, h]
  for (const [i, word] of after.entries()) state[i] = (state[i] as number) + word
}

type Eight = [number, number, number, number, number, number, number, number]

function rotate(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by))
}

/** The first 32 bits of the fractions of the roots of the first primes: cube roots for K, square roots for START. */
function fillConstants(): void {
  const fraction = (x: number) => (x - Math.floor(x)) * 2 ** 32
  let found = 0
  for (let n = 2; found < 64; n++) {
    let prime = true
    for (let factor = 2; factor * factor <= n; factor++) prime &&= n % factor !== 0
    if (!prime) continue
    if (found < 8) START[found] = fraction(Math.sqrt(n))
    K[found++] = fraction(Math.cbrt(n))
  }
}
