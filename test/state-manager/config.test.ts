import pg from "pg";
import { describe, expect, test } from "vitest";
import { ConfigError, readConfig } from "../../src/state-manager/config.js";

type Environment = Parameters<typeof readConfig>[0];

function problemsOf(env: Environment): string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("readConfig", () => {
  test("has a default for everything, for empty variables too", () => {
    const defaults = {
      config: {
        serverHost: "127.0.0.1",
        serverPort: 8080,
        corsAllowedOrigins: [],
        databasePoolSize: 10,
        databaseWaitMs: 300_000,
        commitConcurrency: 1,
        dataDir: "./.reconcile",
        logCount: undefined,
        logRetentionHours: 24,
        compatStreams: undefined,
        logLevel: "info",
        shutdownTimeoutMs: 10_000,
      },
      secrets: { databaseUrl: undefined, redisUrl: undefined },
    };
    expect(readConfig({})).toEqual(defaults);
    expect(readConfig({ SERVER_PORT: "", DATABASE_URL: "", CORS_ALLOWED_ORIGINS: "", PATH: "/bin" })).toEqual(defaults);
  });

  test("reads every setting", () => {
    const { config, secrets } = readConfig({
      SERVER_HOST: "::",
      SERVER_PORT: "0",
      CORS_ALLOWED_ORIGINS: "https://a.example, http://localhost:5173",
      DATABASE_URL: "postgresql://u:p@db/reconcile",
      DATABASE_POOL_SIZE: "20",
      DATABASE_WAIT_SECONDS: "0",
      COMMIT_CONCURRENCY: "2",
      REDIS_URL: "rediss://redis:6380/1",
      RECONCILE_DATA_DIR: "/data",
      LOG_COUNT: "64",
      LOG_RETENTION_HOURS: "168",
      COMPAT_STREAMS: "true",
      LOG_LEVEL: "debug",
      SHUTDOWN_TIMEOUT_SECONDS: "30",
    });
    expect(config).toEqual({
      serverHost: "::",
      serverPort: 0,
      corsAllowedOrigins: ["https://a.example", "http://localhost:5173"],
      databasePoolSize: 20,
      databaseWaitMs: 0,
      commitConcurrency: 2,
      dataDir: "/data",
      logCount: 64,
      logRetentionHours: 168,
      compatStreams: true,
      logLevel: "debug",
      shutdownTimeoutMs: 30_000,
    });
    expect(secrets).toEqual({ databaseUrl: "postgresql://u:p@db/reconcile", redisUrl: "rediss://redis:6380/1" });
    expect(readConfig({ CORS_ALLOWED_ORIGINS: "*" }).config.corsAllowedOrigins).toEqual(["*"]);
  });

  test("reports every problem at once, each with its variable and what it must be", () => {
    expect(
      problemsOf({
        SERVER_PORT: "65536",
        LOG_COUNT: "1.5",
        LOG_RETENTION_HOURS: "-1",
        COMPAT_STREAMS: "yes",
        LOG_LEVEL: "verbose",
        CORS_ALLOWED_ORIGINS: "https://a.example/",
        SERVER_HOST: "http://x",
      }),
    ).toEqual([
      'SERVER_HOST must be a host name or an IP address (got "http://x")',
      'SERVER_PORT must be a whole number from 0 to 65535 (got "65536")',
      'CORS_ALLOWED_ORIGINS must be `*`, or origins such as `https://app.example.com` separated by commas (got "https://a.example/")',
      'LOG_COUNT must be a whole number from 1 to 64 (got "1.5")',
      'LOG_RETENTION_HOURS must be a whole number from 1 to 168 (got "-1")',
      'COMPAT_STREAMS must be `true` or `false` (got "yes")',
      'LOG_LEVEL must be one of `trace`, `debug`, `info`, `warn`, `error`, `silent` (got "verbose")',
    ]);
  });

  test("never shows a secret", () => {
    const problems = problemsOf({
      DATABASE_URL: "mysql://u:s3cret@h",
      REDIS_URL: "http://:s3cret@h",
      DATABASE_PASSWORD: "s3cret",
    });
    expect(problems).toHaveLength(3);
    expect(problems.join()).not.toContain("s3cret");
    const { config } = readConfig({ DATABASE_URL: "postgres://u:s3cret@h/d", REDIS_URL: "redis://:s3cret@h" });
    expect(JSON.stringify(config)).not.toContain("s3cret");
  });

  test.each<[Environment, string]>([
    [
      { DATABASE_URL: "postgres://h/d", DATABASE_HOST: "h", DATABASE_NAME: "d" },
      "DATABASE_URL must not be set together with DATABASE_HOST, DATABASE_NAME; remove the one or the others",
    ],
    [
      { DATABASE_PASSWORD: "x" },
      "DATABASE_HOST must be set together with DATABASE_PASSWORD; else a bundled PostgreSQL would be started",
    ],
    [
      { DATABASE_URL: "postgres://u:s3cret@h/d?options=-c%20enable_seqscan%3Don" },
      "DATABASE_URL: options must not set enable_seqscan: the server needs off; remove it",
    ],
    [{ COMPAT_STREAMS: "true" }, "REDIS_URL must be set with COMPAT_STREAMS=true: that is where the streams are"],
  ])("refuses settings that contradict each other: %o", (env, problem) => {
    expect(problemsOf(env)).toEqual([problem]);
  });

  test("builds a database URL of parts that the driver reads back", () => {
    const parts = { DATABASE_HOST: "db.example", DATABASE_USERNAME: "us/er", DATABASE_PASSWORD: "p@s:s/%41 ?#" };
    const { secrets } = readConfig({
      ...parts,
      DATABASE_PORT: "6543",
      DATABASE_NAME: "my db",
      DATABASE_SSLMODE: "require",
    });
    const client = new pg.Client(secrets.databaseUrl);
    expect(client).toMatchObject({ host: "db.example", port: 6543, user: "us/er", database: "my db" });
    expect(client.password).toBe("p@s:s/%41 ?#");
    expect(client.ssl).toEqual({ rejectUnauthorized: false });

    const plain = new pg.Client(readConfig({ DATABASE_HOST: "::1" }).secrets.databaseUrl);
    expect(plain).toMatchObject({ host: "::1", port: 5432, ssl: false });
  });
});
