/** The test kit: the package entry `reconcile-toolkit/testing`. docs/testing.md shows how it is used. */
export type { PassResultLabel } from "../controlloop/metrics.js";
export { createTestLoop, type TestLoop, type TestLoopOptions, type TestStep } from "./test-loop.js";
export { startTestServer, type TestServer } from "./test-server.js";
