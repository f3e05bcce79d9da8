import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { readAllowedScripts } from "../../examples/process/allowed-scripts.js";
import { runExamples } from "../../examples/run-examples.js";
import { readConfig } from "../state-manager/config.js";
import { createLogger } from "../state-manager/observability/logger.js";
import { runUntilSignal } from "../state-manager/run-until-signal.js";
import { startStateManager } from "../state-manager/server.js";
import { applySampleWebsite } from "./sample-website.js";
import { createWorkerMetrics } from "./worker-metrics.js";

/**
 * `npm start`: everything on one machine. PostgreSQL (unless DATABASE_URL names one), the state-manager, the example
 * reconcilers, which speak to it through its public API as any other client, and one sample website.
 */
async function main(): Promise<void> {
  const { scripts, problems } = readAllowedScripts(process.env.EXAMPLES_PROCESS_ALLOW);
  const { config, secrets, unread } = readConfig(process.env, problems);
  for (const { variable, advice } of unread) say(`${variable} is not read: ${advice}`);
  mkdirSync(config.dataDir, { recursive: true });
  const logFile = join(config.dataDir, "reconcile.log");
  const logger = createLogger(config.logLevel, pino.destination({ dest: logFile, sync: true }));

  const start = async (signal: AbortSignal) => {
    const { meter, text: furtherMetrics } = createWorkerMetrics();
    const server = await startStateManager({
      config,
      secrets,
      logger,
      furtherMetrics,
      signal,
      onWaiting: (problem) => say(`waiting for the database: ${problem}`),
    });
    const stopServer = () => server.stop();
    const examples = await runExamples({
      serverUrl: server.url,
      dataDir: config.dataDir,
      logger,
      metrics: meter,
      allowedScripts: scripts,
    }).catch(async (error: unknown) => {
      await stopServer();
      throw error;
    });
    // First the reconcilers, while there is a server to report to; what they made stops before what they need.
    const stop = () => examples.stop().finally(stopServer);
    const sample = await applySampleWebsite(server.url).catch((error: unknown) => `none: ${error}`);
    return {
      stop,
      text: welcome({
        url: server.url,
        sample,
        logFile,
        isBundled: secrets.databaseUrl === undefined,
        dataDir: config.dataDir,
      }),
    };
  };

  process.stdout.on("error", () => {}); // a reader that has seen enough, or a closed terminal
  say(
    `starting ${secrets.databaseUrl === undefined ? "PostgreSQL, " : ""}the server and the examples; the log is ${logFile}`,
  );
  await runUntilSignal({
    start: (signal) =>
      start(signal).catch((error: unknown) => {
        if (!signal.aborted) logger.fatal({ err: error }, "start failed");
        throw error;
      }),
    onStarted: ({ text }) => say(text),
    timeoutMs: config.shutdownTimeoutMs,
    onTimeout: () => say("shutdown took too long; exiting"),
  });
}

function welcome(facts: { url: string; sample: string; logFile: string; isBundled: boolean; dataDir: string }): string {
  const { url, sample, logFile, isBundled, dataDir } = facts;
  return `reconcile-toolkit is running: ${url}  (REST, Connect, gRPC, /metrics; Ctrl-C stops it)
  dashboard ${url}/
  API       ${url}/docs
  database  ${isBundled ? `bundled PostgreSQL, kept in ${join(dataDir, "postgres")}` : "the one DATABASE_URL names"}
  log       ${logFile}
  sample    website default/hello: ${sample}

Try it in another terminal. Declare a website; a file and a server process appear:
  export RECONCILE_SERVER=${url}
  ./reconcile apply -f examples/website/mine.yaml --wait
  curl http://127.0.0.1:8090/
Kill the process; it comes back:
  kill $(./reconcile get process/mine -o json | grep -o '"pid": [0-9]*' | cut -d: -f2)
Look at it, watch all changes, delete it:
  ./reconcile describe website/mine
  ./reconcile get -A -w
  ./reconcile delete website/mine`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`); // the stack is in the log
  process.exit(1); // whatever was started by then must not keep a failed start alive
});
