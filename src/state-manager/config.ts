import { quote } from "../resource/quote.js";
import { SETTINGS, type SettingName, type SettingValues } from "./config-settings.js";
import type { LogLevel } from "./observability/logger.js";
import { databaseUrlProblems } from "./store/database-url.js";

/** What the process was told to do. Holds no secret, so it may be logged. */
export interface Config {
  readonly serverHost: string;
  readonly serverPort: number;
  readonly corsAllowedOrigins: readonly string[];
  readonly databasePoolSize: number;
  readonly databaseWaitMs: number;
  readonly commitConcurrency: number;
  readonly dataDir: string;
  /** Undefined: whatever the store has; 1 for a new one. */
  readonly logCount: number | undefined;
  readonly logRetentionHours: number;
  /** Undefined: as the store has it; off for a new one. */
  readonly compatStreams: boolean | undefined;
  readonly logLevel: LogLevel;
  readonly shutdownTimeoutMs: number;
}

/** What must never be printed or logged. */
export interface Secrets {
  /** Undefined: start the bundled PostgreSQL. */
  readonly databaseUrl: string | undefined;
  /** Undefined: do without Redis. */
  readonly redisUrl: string | undefined;
}

/** Variables by name, as in `process.env`. */
type Environment = Readonly<Record<string, string | undefined>>;

/** The environment is wrong; the message has one line per problem. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
  }
}

/**
 * Reads the environment. Throws ConfigError with every problem at once, before anything is started. Other variables are
 * none of our business, but a caller with variables of its own may add the problems that it has found in them.
 */
export function readConfig(
  env: Environment,
  foundBefore: readonly string[] = [],
): { readonly config: Config; readonly secrets: Secrets } {
  const problems = [...foundBefore, ...conflicts(env)];
  const values = readValues(env, problems);
  if (values.DATABASE_URL !== undefined) problems.push(...databaseUrlProblems(values.DATABASE_URL));
  if (problems.length > 0) throw new ConfigError(problems);
  const config = {
    serverHost: values.SERVER_HOST,
    serverPort: values.SERVER_PORT,
    corsAllowedOrigins: values.CORS_ALLOWED_ORIGINS,
    databasePoolSize: values.DATABASE_POOL_SIZE,
    databaseWaitMs: values.DATABASE_WAIT_SECONDS * 1_000,
    commitConcurrency: values.COMMIT_CONCURRENCY,
    dataDir: values.RECONCILE_DATA_DIR,
    logCount: values.LOG_COUNT,
    logRetentionHours: values.LOG_RETENTION_HOURS,
    compatStreams: values.COMPAT_STREAMS,
    logLevel: values.LOG_LEVEL,
    shutdownTimeoutMs: values.SHUTDOWN_TIMEOUT_SECONDS * 1_000,
  };
  return { config, secrets: { databaseUrl: databaseUrl(values), redisUrl: values.REDIS_URL } };
}

function readValues(env: Environment, problems: string[]): SettingValues {
  const entries = Object.entries(SETTINGS).map(([name, { read, values, fallback, isSecret }]) => {
    // An empty variable is how compose files and shells write "not set".
    const text = env[name] || undefined;
    const value = text === undefined ? fallback : read(text);
    if (text !== undefined && value === undefined) {
      problems.push(`${name} must be ${values} (${isSecret ? "its value is not shown" : `got ${quote(text)}`})`);
    }
    return [name, value];
  });
  // Every entry has the name of its setting and, unless there is a problem, the type.
  return Object.fromEntries(entries) as SettingValues;
}

/** Settings that are each right and wrong together. */
function conflicts(env: Environment): string[] {
  const problems = [];
  const parts = DATABASE_PARTS.filter((name) => env[name]);
  if (env.DATABASE_URL && parts.length > 0) {
    problems.push(`DATABASE_URL must not be set together with ${parts.join(", ")}; remove the one or the others`);
  } else if (!env.DATABASE_HOST && parts.length > 0) {
    problems.push(
      `DATABASE_HOST must be set together with ${parts.join(", ")}; else a bundled PostgreSQL would be started`,
    );
  }
  if (env.COMPAT_STREAMS === "true" && !env.REDIS_URL) {
    problems.push("REDIS_URL must be set with COMPAT_STREAMS=true: that is where the streams are");
  }
  return problems;
}

const DATABASE_PARTS: readonly SettingName[] = [
  "DATABASE_HOST",
  "DATABASE_PORT",
  "DATABASE_USERNAME",
  "DATABASE_PASSWORD",
  "DATABASE_NAME",
  "DATABASE_SSLMODE",
];

function databaseUrl(values: SettingValues): string | undefined {
  const host = values.DATABASE_HOST;
  if (host === undefined) return values.DATABASE_URL;
  const built = new URL(`postgres://${host.includes(":") ? `[${host}]` : host}:${values.DATABASE_PORT ?? 5432}`);
  built.username = encodeURIComponent(values.DATABASE_USERNAME ?? "");
  built.password = encodeURIComponent(values.DATABASE_PASSWORD ?? "");
  built.pathname = encodeURI(values.DATABASE_NAME ?? "");
  const sslMode = values.DATABASE_SSLMODE ?? "disable";
  built.searchParams.set("sslmode", sslMode);
  // Without this the driver takes "require" for "verify-full".
  if (sslMode === "require") built.searchParams.set("uselibpqcompat", "true");
  return built.href;
}
