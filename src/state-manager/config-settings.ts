import {
  GO_SWITCH,
  HOST,
  ORIGINS,
  oneOf,
  optional,
  SWITCH,
  secret,
  setting,
  TEXT,
  url,
  wholeNumber,
} from "./config-setting.js";
import { LOG_LEVELS } from "./observability/logger.js";

/** Every variable the state-manager reads. An empty one counts as not set. `docs/operations.md` shows this as a table. */
export const SETTINGS = {
  SERVER_HOST: setting(
    HOST,
    "127.0.0.1",
    "The address to bind. Loopback by default, because there is no authentication yet: on a loopback address only loopback `Host` names are answered. `0.0.0.0` or `::` opens it to the network.",
  ),
  SERVER_PORT: setting(wholeNumber(0, 65_535), "8080", "The one port for everything. `0` takes a free one."),
  CORS_ALLOWED_ORIGINS: setting(
    ORIGINS,
    "",
    "The web pages that may call from a browser. None by default: a page of another origin can neither read nor write.",
  ),
  AUTH_ENABLED: optional(
    GO_SWITCH,
    "There is no authentication yet: a server that is to have it does not start. The other `AUTH_*` variables of the original system are not read.",
  ),
  DATABASE_URL: secret(
    url("postgres", "postgresql"),
    "The PostgreSQL that holds everything: 17 or 18, reached without a transaction pooler; see [the database](#the-database). Without it, and without `DATABASE_HOST`, a bundled PostgreSQL is started.",
  ),
  DATABASE_HOST: optional(HOST, "Instead of `DATABASE_URL`: the host name or address of the server."),
  DATABASE_PORT: optional(wholeNumber(1, 65_535), "With `DATABASE_HOST`: its port; 5432 when not set."),
  DATABASE_USERNAME: optional(TEXT, "With `DATABASE_HOST`: the role to connect as."),
  DATABASE_PASSWORD: secret(TEXT, "With `DATABASE_HOST`: the role's password."),
  DATABASE_NAME: optional(TEXT, "With `DATABASE_HOST`: the database."),
  DATABASE_SSLMODE: optional(
    oneOf(["disable", "require", "verify-full"]),
    "With `DATABASE_HOST`: no TLS, TLS without or TLS with a check of the certificate; `disable` when not set.",
  ),
  DATABASE_POOL_SIZE: setting(
    wholeNumber(2, 1_000),
    "10",
    "Connections to PostgreSQL at most, per replica. Few are enough: reads and writes travel in batches.",
  ),
  DATABASE_WAIT_SECONDS: setting(
    wholeNumber(0, 86_400),
    "300",
    "Seconds to wait at start for a PostgreSQL that does not answer, is starting or is read-only; until then the server is live and not ready. `0`: it ends at the first failure. What waiting does not mend, such as a wrong password, ends it at once.",
  ),
  REDIS_URL: secret(
    url("redis", "rediss"),
    "The Redis that carries changes between replicas. One replica needs none; with several and no Redis, changes of another replica are seen within a second.",
  ),
  REDIS_HOST: optional(HOST, "Instead of `REDIS_URL`: the host name or address of the server."),
  REDIS_PORT: optional(wholeNumber(1, 65_535), "With `REDIS_HOST`: its port; 6379 when not set."),
  REDIS_USERNAME: optional(TEXT, "With `REDIS_HOST`: the user, where Redis has several."),
  REDIS_PASSWORD: secret(TEXT, "With `REDIS_HOST`: the password."),
  REDIS_DB: optional(wholeNumber(0, 1_000_000), "With `REDIS_HOST`: the number of the database; 0 when not set."),
  REDIS_SCHEME: optional(oneOf(["redis", "rediss"]), "With `REDIS_HOST`: `rediss` for TLS; `redis` when not set."),
  REDIS_SKIP_TLS: optional(
    TEXT,
    "Of the original system, which speaks TLS to every Redis when it is not set. Here the scheme alone decides, with and without it.",
  ),
  RECONCILE_DATA_DIR: setting(TEXT, "./.reconcile", "Where the bundled PostgreSQL keeps its data."),
  COMMIT_CONCURRENCY: setting(
    wholeNumber(1, 64),
    "1",
    "Write transactions in flight at most, per replica; never more than there are logs. On one PostgreSQL they share its disk and cores, and fewer, larger ones cost less; with a database spread over machines, as many as there are logs.",
  ),
  LOG_COUNT: optional(
    wholeNumber(1, 64),
    "Change logs of the store; 1 when it is created without. Fixed from then on: later another number is refused. One gives one total order of all changes; more let a distributed database commit in several places at once.",
  ),
  LOG_RETENTION_HOURS: setting(
    wholeNumber(1, 168),
    "24",
    "Hours of history kept: how long a watcher may be away and still resume. Each hour is a partition, so more costs disk and locks; see [retention](#retention).",
  ),
  COMPAT_STREAMS: optional(
    SWITCH,
    "Whether the Redis streams `<shard_id>_stream` that existing operators read are written. A setting of the store: `true` on one replica switches it on for all, and `false` must be said to end it; without it nothing changes, and a new store has it off. Needs `REDIS_URL`; not on Redis Cluster.",
  ),
  LOG_LEVEL: setting(oneOf(LOG_LEVELS), "info", "The least severe messages to log."),
  SHUTDOWN_TIMEOUT_SECONDS: setting(
    wholeNumber(1, 600),
    "10",
    "Seconds from SIGTERM to the end of the process; running calls are cut off before. Keep it below the grace period of what stops the process (30 in Kubernetes, 10 in Docker).",
  ),
} as const;

/** The names of the variables. */
export type SettingName = keyof typeof SETTINGS;

/** The value of every variable, defaults filled in. */
export type SettingValues = {
  readonly [Name in SettingName]: (typeof SETTINGS)[Name]["fallback"];
};
