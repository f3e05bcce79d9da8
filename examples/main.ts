import { pino } from "pino";
import { readAllowedScripts } from "./process/allowed-scripts.js";
import { runExamples } from "./run-examples.js";

/**
 * The example reconcilers as a process of their own, the way a real worker runs: `node dist/examples/main.js`.
 *
 * SERVER_URL (default http://127.0.0.1:8080) names the state-manager, RECONCILE_DATA_DIR (default ./.reconcile) where
 * files and processes are kept, EXAMPLES_PROCESS_ALLOW further scripts that may run. A signal drains and ends it.
 */
async function main(): Promise<void> {
  const { scripts, problems } = readAllowedScripts(process.env.EXAMPLES_PROCESS_ALLOW);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  const examples = await runExamples({
    serverUrl: process.env.SERVER_URL || "http://127.0.0.1:8080",
    dataDir: process.env.RECONCILE_DATA_DIR || "./.reconcile",
    logger: pino(),
    allowedScripts: scripts,
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, async () => {
      await examples.stop();
      process.exit(0);
    });
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
});
