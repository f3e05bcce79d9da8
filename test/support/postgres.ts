/** Real PostgreSQL 18 servers for tests: the bundled one of the product, in directories of this run. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { PostgresCluster as Cluster, type StopMode } from "../../src/state-manager/embedded-postgres/cluster.js";
import { migrate } from "../../src/state-manager/store/migrate.js";
import { runDirectory } from "./run-directory.js";

/** The variable in which global setup leaves the address of the run's shared cluster. */
export const sharedPostgresVariable = "RECONCILE_TEST_POSTGRES_URL";

/** A PostgreSQL server of one test, to be stopped and started at will. */
export interface PostgresCluster {
  /** Address of its database `postgres`, as a superuser. A restart keeps it. */
  readonly url: string;
  readonly dataDir: string;
  /** Stops it: `fast` (default) cuts clients off and checkpoints, `immediate` stops as a crash does. Safe when stopped. */
  stop(mode?: StopMode): Promise<void>;
  /** Starts it and returns once it takes connections, after any crash recovery. */
  start(): Promise<void>;
  /** `stop` and `start`. */
  restart(mode?: StopMode): Promise<void>;
  /** Stops it and removes its data. What a test leaves behind is removed at the end of the run. */
  remove(): Promise<void>;
}

/** The database of the shared cluster that others are copied from: the migrations have run, there is no store yet. */
const TEMPLATE = "template_store";

/** Makes the template that `createDatabase` copies: running the migrations for every test took a fifth of its time. */
export async function createTemplate(shared: string): Promise<void> {
  await execute(shared, `CREATE DATABASE ${TEMPLATE} TEMPLATE template0`);
  const url = databaseUrl(shared, TEMPLATE);
  await migrate(url, {});
  await execute(url, "TRUNCATE store, log_heads, log_floors");
}

/**
 * A fresh database in the run's shared cluster, as the migrations leave it; `from` "nothing": without them. `drop` cuts its
 * connections off.
 */
export function createDatabase(from: "migrations" | "nothing" = "migrations"): Promise<TestDatabase> {
  return createFrom(from === "migrations" ? TEMPLATE : "template0");
}

/** A copy of a database of the run's shared cluster that nobody is connected to; large ones are copied as files. */
export function copyDatabase(url: string): Promise<TestDatabase> {
  return createFrom(`${new URL(url).pathname.slice(1)} STRATEGY file_copy`);
}

interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

async function createFrom(template: string): Promise<TestDatabase> {
  const shared = process.env[sharedPostgresVariable];
  if (shared === undefined) throw new Error("no shared PostgreSQL cluster: run this with vitest");
  const name = `test_${randomBytes(6).toString("hex")}`;
  await execute(shared, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  const url = databaseUrl(shared, name);
  return { url, drop: () => execute(shared, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

/**
 * Creates and starts a cluster of its own, about a second, in a fresh directory of the run unless told where. `settings` are further
 * `postgresql.conf` names and values.
 * Durability stays as it is in production (`fsync` on): what a test sees survive a crash survives one (I10).
 */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
  directory = mkdtempSync(join(runDirectory(), "postgres-")),
): Promise<PostgresCluster> {
  const cluster = await Cluster.open(directory, new Map(Object.entries({ ...defaults, ...settings })));
  await cluster.start();
  const url = cluster.url("postgres");
  const start = async () => {
    await cluster.start();
    if (cluster.url("postgres") !== url) throw new Error("another program took the port of the stopped PostgreSQL");
  };
  return {
    url,
    dataDir: join(directory, "cluster"),
    stop: (mode) => cluster.stop(mode),
    start,
    async restart(mode) {
      await cluster.stop(mode);
      await start();
    },
    async remove() {
      await cluster.stop("immediate");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** 200 connections: two test files at a time, some of which run several replicas with a pool each. */
const defaults = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "", // The directory's path may exceed the 107 bytes of a socket's name.
  max_connections: "200",
  shared_buffers: "64MB",
};

function databaseUrl(shared: string, name: string): string {
  const url = new URL(shared);
  url.pathname = `/${name}`;
  return url.href;
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
