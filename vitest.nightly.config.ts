import { defineConfig } from "vitest/config";
import base from "./vitest.config.js";

/** `npm run nightly`: what takes too long for every change, one scenario at a time, with a table at the end. */
export default defineConfig({
  test: {
    ...base.test,
    include: ["test/nightly/**/*.nightly.ts"],
    reporters: ["default", "./test/nightly/table-reporter.ts"],
    maxWorkers: 1,
    testTimeout: 15 * 60_000,
  },
});
