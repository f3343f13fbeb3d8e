import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { brotliCompressSync, constants, gzipSync } from "node:zlib"
import react from "@vitejs/plugin-react"
import { defineConfig, type Plugin } from "vite"

const OUT = "../server/page"
const SERVER = process.env["COURTSIDE"] ?? "http://127.0.0.1:8000"

/** Compresses once what would be compressed for each visitor: a `.br` and a `.gz` beside each file of text. */
function precompressed(): Plugin {
  return {
    name: "precompressed",
    apply: "build",
    closeBundle() {
      for (const entry of readdirSync(OUT, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !/\.(css|html|js|json|svg|webmanifest)$/.test(entry.name)) continue
        const file = join(entry.parentPath, entry.name)
        const bytes = readFileSync(file)
        writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }))
        writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }))
      }
    },
  }
}

export default defineConfig({
  plugins: [react(), precompressed()],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    manifest: true,
    // The policy of the page allows no `data:` but for pictures, and small files are cached as well as large ones.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    // What it would add is for browsers older than the target.
    modulePreload: { polyfill: false },
  },
  css: { transformer: "lightningcss" },
  logLevel: "warn",
  server: {
    proxy: {
      "/api": SERVER,
      "/ws": { target: SERVER, ws: true },
    },
  },
})
