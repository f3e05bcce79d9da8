import { type DestinationStream, type Logger, pino } from "pino";

/** The levels of `LOG_LEVEL`, quietest last. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * Makes the process's logger: one JSON object per line on stdout, `level` by name, `time` in ISO 8601, errors under `err`.
 *
 * Messages are constant and facts are fields (STYLE §8).
 */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describeError },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/**
 * Class, text, driver code, stack and cause, and nothing else: the drivers hang whole statements, their values and
 * connection options on their errors, and a log must hold neither specs nor passwords.
 */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  return {
    type: error.name,
    message: error.message,
    ...("code" in error && { code: error.code }),
    stack: error.stack,
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}
