import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/longest-first.js";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/global-setup.ts",
    setupFiles: "test/support/worker-setup.ts",
    // Processes, not threads: tests signal, starve and exit processes. Two, because most files start servers of their own: with
    // three on two cores the longest run into their limits of time.
    pool: "forks",
    maxWorkers: 2,
    // The files of a worker share their modules, instead of loading them anew for each.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    // A test that passes at the second try is a test that fails.
    retry: 0,
  },
});
