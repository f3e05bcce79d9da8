import { quote } from "../resource/quote.js";
import { SETTINGS, type SettingName, type SettingValues } from "./config-settings.js";
import type { LogLevel } from "./observability/logger.js";
import { databaseUrlProblems } from "./store/database-url.js";
import { type UnreadVariable, unreadVariables } from "./unread-variables.js";

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
 * Reads the environment. Throws ConfigError with every problem at once, before anything is started. Variables
 * that begin like ours and are none are `unread`. A caller with variables of its own may add the problems that it has found in them.
 */
export function readConfig(
  env: Environment,
  foundBefore: readonly string[] = [],
): { readonly config: Config; readonly secrets: Secrets; readonly unread: readonly UnreadVariable[] } {
  const problems = [...foundBefore, ...conflicts(env)];
  const values = readValues(env, problems);
  if (values.AUTH_ENABLED === true) {
    problems.push(
      "AUTH_ENABLED must not be true: there is no authentication yet, so everybody would be answered; unset it, and let only those reach the server who may",
    );
  }
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
  const secrets = { databaseUrl: databaseUrl(values), redisUrl: redisUrl(values) };
  return { config, secrets, unread: unreadVariables(env) };
}

function readValues(env: Environment, problems: string[]): SettingValues {
  const entries = Object.entries(SETTINGS).map(([name, { read, values, fallback, isSecret }]) => {
    const text = given(env, name);
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
  const problems = [
    ...partsProblems(env, "DATABASE_URL", DATABASE_PARTS, "else a bundled PostgreSQL would be started"),
    ...partsProblems(env, "REDIS_URL", REDIS_PARTS, "else the server would do without Redis"),
  ];
  if (env.COMPAT_STREAMS === "true" && !env.REDIS_URL && !env.REDIS_HOST) {
    problems.push("REDIS_URL must be set with COMPAT_STREAMS=true: that is where the streams are");
  }
  return problems;
}

/** An address is given as a URL, or as a host and what belongs to it. The first of `parts` is the host. */
function partsProblems(
  env: Environment,
  url: SettingName,
  parts: readonly SettingName[],
  otherwise: string,
): readonly string[] {
  const [host] = parts;
  const found = parts.filter((name) => given(env, name) !== undefined);
  if (host === undefined || found.length === 0) return [];
  const names = found.join(", ");
  if (env[url]) return [`${url} must not be set together with ${names}; remove the one or the others`];
  return found.includes(host) ? [] : [`${host} must be set together with ${names}; ${otherwise}`];
}

/**
 * The text of a variable; undefined when it is not set. An empty one is how compose files and shells write that. And Kubernetes sets
 * `REDIS_PORT=tcp://10.0.0.1:6379` wherever there is a Service `redis`: that is no setting.
 */
function given(env: Environment, name: string): string | undefined {
  const text = env[name] || undefined;
  return name.endsWith("_PORT") && /^(tcp|udp|sctp):\/\//.test(text ?? "") ? undefined : text;
}

const REDIS_PARTS: readonly SettingName[] = [
  "REDIS_HOST",
  "REDIS_PORT",
  "REDIS_USERNAME",
  "REDIS_PASSWORD",
  "REDIS_DB",
  "REDIS_SCHEME",
];

function redisUrl(values: SettingValues): string | undefined {
  const host = values.REDIS_HOST;
  if (host === undefined) return values.REDIS_URL;
  const built = new URL(`${values.REDIS_SCHEME ?? "redis"}://${bracketed(host)}:${values.REDIS_PORT ?? 6379}`);
  built.username = encodeURIComponent(values.REDIS_USERNAME ?? "");
  built.password = encodeURIComponent(values.REDIS_PASSWORD ?? "");
  built.pathname = `/${values.REDIS_DB ?? 0}`;
  return built.href;
}

/** As a URL has an IPv6 address. */
function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
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
  const built = new URL(`postgres://${bracketed(host)}:${values.DATABASE_PORT ?? 5432}`);
  built.username = encodeURIComponent(values.DATABASE_USERNAME ?? "");
  built.password = encodeURIComponent(values.DATABASE_PASSWORD ?? "");
  built.pathname = encodeURI(values.DATABASE_NAME ?? "");
  const sslMode = values.DATABASE_SSLMODE ?? "disable";
  built.searchParams.set("sslmode", sslMode);
  // Without this the driver takes "require" for "verify-full".
  if (sslMode === "require") built.searchParams.set("uselibpqcompat", "true");
  return built.href;
}
