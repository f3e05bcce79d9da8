import { Redis } from "ioredis";
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
      unread: [],
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
    [
      { REDIS_URL: "redis://h", REDIS_HOST: "h", REDIS_DB: "1" },
      "REDIS_URL must not be set together with REDIS_HOST, REDIS_DB; remove the one or the others",
    ],
    [
      { REDIS_PASSWORD: "x" },
      "REDIS_HOST must be set together with REDIS_PASSWORD; else the server would do without Redis",
    ],
    [{ COMPAT_STREAMS: "true" }, "REDIS_URL must be set with COMPAT_STREAMS=true: that is where the streams are"],
  ])("refuses settings that contradict each other: %o", (env, problem) => {
    expect(problemsOf(env)).toEqual([problem]);
  });

  test.each(["1", "t", "T", "true", "True", "TRUE"])(
    "refuses AUTH_ENABLED=%s: there is no authentication yet",
    (word) => {
      expect(problemsOf({ AUTH_ENABLED: word })).toEqual([
        expect.stringMatching(/^AUTH_ENABLED must not be true: there is no/),
      ]);
    },
  );

  test("takes Go's words for AUTH_ENABLED=false, and refuses a word that is neither", () => {
    for (const word of ["0", "f", "F", "false", "False", "FALSE", ""])
      expect(problemsOf({ AUTH_ENABLED: word })).toEqual([]);
    for (const word of ["maybe", "yes", "tRUE"]) {
      expect(problemsOf({ AUTH_ENABLED: word })).toEqual([
        expect.stringMatching(/^AUTH_ENABLED must be one of `1`, `t`/),
      ]);
    }
  });

  test("builds a Redis URL of parts that the client reads back", () => {
    const { secrets } = readConfig({
      REDIS_HOST: "::1",
      REDIS_PORT: "6380",
      REDIS_USERNAME: "us/er",
      REDIS_PASSWORD: "p@s:s/%41 ?#",
      REDIS_DB: "3",
      REDIS_SCHEME: "rediss",
      REDIS_SKIP_TLS: "true",
    });
    const { options } = new Redis(secrets.redisUrl ?? "", { lazyConnect: true });
    expect(options).toMatchObject({ host: "::1", port: 6380, username: "us/er", password: "p@s:s/%41 ?#", db: 3 });
    expect(options.tls).toBeTruthy();
    const plain = new Redis(readConfig({ REDIS_HOST: "redis" }).secrets.redisUrl ?? "", { lazyConnect: true });
    expect(plain.options).toMatchObject({ host: "redis", port: 6379, db: 0 });
    expect(plain.options.tls).toBeFalsy();
  });

  test("takes what Kubernetes says about a Service for no setting", () => {
    const links = {
      REDIS_PORT: "tcp://10.0.0.1:6379",
      REDIS_SERVICE_HOST: "10.0.0.1",
      REDIS_SERVICE_PORT_REDIS: "6379",
      REDIS_PORT_6379_TCP_ADDR: "10.0.0.1",
      SERVER_PORT: "tcp://10.0.0.2:80",
    };
    const { config, secrets, unread } = readConfig({ ...links, REDIS_URL: "redis://r" });
    expect([config.serverPort, secrets.redisUrl, unread]).toEqual([8080, "redis://r", []]);
  });

  test("names variables that it does not read, with what may have been meant, and never their value", () => {
    const { unread } = readConfig({
      AUTH_ENABLE: "s3cret",
      AUTH_ISSUER: "https://idp",
      DATABASE_USER: "u",
      REDIS_DIAL_TIMEOUT: "5s",
      REDIS_PASWORD: "s3cret",
      SERVER_PROT: "80",
      LOG_FORMAT: "json",
      LOG_COUNTS: "",
      RECONCILE_SERVER: "http://h",
      LOGNAME: "me",
      PATH: "/bin",
    });
    expect(Object.fromEntries(unread.map(({ variable, advice }) => [variable, advice]))).toEqual({
      AUTH_ENABLE: "did you mean AUTH_ENABLED?",
      AUTH_ISSUER: "there is no authentication yet; unset it",
      DATABASE_USER: "did you mean DATABASE_USERNAME?",
      LOG_FORMAT: expect.stringContaining("docs/operations.md"),
      REDIS_DIAL_TIMEOUT: expect.stringContaining("docs/operations.md"),
      REDIS_PASWORD: "did you mean REDIS_PASSWORD?",
      SERVER_PROT: "did you mean SERVER_PORT?",
    });
    expect(JSON.stringify(unread)).not.toContain("s3cret");
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
