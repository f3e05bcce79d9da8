import { ConfigError, readConfig } from "./config.js";
import { createLogger } from "./observability/logger.js";
import { runUntilSignal } from "./run-until-signal.js";
import { startStateManager } from "./server.js";
import { UnfitDatabaseError } from "./store/unfit-database.js";

/** How a server that could not be started, or not be stopped, ends; docs/operations.md promises it. */
const FAILED = 1;

/**
 * The state-manager alone, with the settings of `env`, until a signal ends the process. Resolves only when it failed, with the exit
 * code: what an operator has to mend is on standard error, one line for each problem.
 */
export async function runServer(env: NodeJS.ProcessEnv): Promise<number> {
  try {
    const { config, secrets, unread } = readConfig(env);
    const logger = createLogger(config.logLevel);
    for (const each of unread) logger.warn(each, "a variable of the environment is not read");
    await runUntilSignal({
      start: (signal) => startStateManager({ config, secrets, logger, signal }),
      timeoutMs: config.shutdownTimeoutMs,
      onTimeout: () => logger.error("shutdown took too long; exiting"),
    });
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`);
  }
  return FAILED;
}

function describe(error: unknown): string {
  if (error instanceof ConfigError || error instanceof UnfitDatabaseError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
