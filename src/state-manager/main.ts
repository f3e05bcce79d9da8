import { ConfigError, readConfig } from "./config.js";
import { createLogger } from "./observability/logger.js";
import { runUntilSignal } from "./run-until-signal.js";
import { startStateManager } from "./server.js";
import { UnfitDatabaseError } from "./store/unfit-database.js";

/** `npm run serve`: the state-manager alone. Settings come from the environment: docs/operations.md. */
async function main(): Promise<void> {
  const { config, secrets } = readConfig(process.env);
  const logger = createLogger(config.logLevel);
  await runUntilSignal({
    start: () => startStateManager({ config, secrets, logger }),
    timeoutMs: config.shutdownTimeoutMs,
    onTimeout: () => logger.error("shutdown took too long; exiting"),
  });
}

main().catch((error: unknown) => {
  const isOperators = error instanceof ConfigError || error instanceof UnfitDatabaseError;
  const text = isOperators ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${text}\n`);
  process.exitCode = 1;
});
