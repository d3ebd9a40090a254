// The test projects. No retries anywhere: a test that fails now and then is a bug.
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./infra/dev/longest-first.mjs";

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: { name: "unit", include: ["packages/*/src/**/*.test.ts"] },
      },
      {
        test: {
          name: "arch",
          include: ["test/arch/**/*.test.ts"],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          exclude: ["test/e2e/inspector/**"],
          globalSetup: "infra/dev/vitest-build.mjs",
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          // Whole-system tests too, apart because a browser takes its time.
          name: "browser",
          include: ["test/e2e/inspector/**/*.test.ts"],
          globalSetup: "infra/dev/vitest-build.mjs",
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "conformance",
          include: ["test/conformance/**/*.test.ts"],
          globalSetup: "infra/dev/vitest-build.mjs",
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
