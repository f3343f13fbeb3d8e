import { defineConfig } from "vitest/config"

// A file of its own: `make run` builds the page without the tools of tests.
export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "src/**/*.test.tsx"],
    restoreMocks: true,
  },
})
