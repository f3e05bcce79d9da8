import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { OwnerLockHeldError, takeOwnerLock } from "../shared/owner-lock.js";
import { PostgresCluster } from "./embedded-postgres/cluster.js";
import { DatabaseClient } from "./store/database-client.js";

/** The PostgreSQL that runs when no DATABASE_URL is given. */
export interface EmbeddedPostgres {
  /** The database `reconcile`, password included: not for logs. */
  readonly url: string;
  /** Fast shutdown, awaited; the data stays. Twice is safe. */
  stop(): Promise<void>;
}

const DATABASE = "reconcile";
/** After PostgreSQL ended on its own: long enough for the processes of a killed one to leave its shared memory. */
const RESTART_DELAY_MS = 500;

/** Fit for a laptop beside other programs, and durable: an acknowledged write survives any crash (I10). */
const SETTINGS: ReadonlyMap<string, string> = new Map([
  ["listen_addresses", "127.0.0.1"],
  ["unix_socket_directories", ""],
  ["cluster_name", "reconcile"],
  ["max_connections", "100"],
  ["shared_buffers", "256MB"],
  ["fsync", "on"],
  ["synchronous_commit", "on"],
  ["full_page_writes", "on"],
  ["max_wal_size", "2GB"],
  ["wal_compression", "on"],
  ["checkpoint_timeout", "15min"],
  ["jit", "off"],
  ["timezone", "UTC"],
  ["log_timezone", "UTC"],
]);

/**
 * Starts the bundled PostgreSQL with its data in `<dataDir>/postgres` (2.12) and makes the database on first use.
 *
 * One that a killed run left running is stopped and started again rather than adopted: then no statement of that run is
 * still at work, and program and settings are this version's; it costs half a second. Throws when another live process
 * owns the directory. Should PostgreSQL end on its own (out of memory, kill -9), it is started again on the same port.
 */
export async function startEmbeddedPostgres(options: {
  readonly dataDir: string;
  readonly log: Logger;
}): Promise<EmbeddedPostgres> {
  const { log } = options;
  const directory = resolve(options.dataDir, "postgres");
  mkdirSync(directory, { recursive: true });
  const release = await own(directory);
  try {
    const cluster = await PostgresCluster.open(directory, SETTINGS);
    if (cluster.pid !== undefined) {
      log.warn({ directory, pid: cluster.pid }, "stopping the PostgreSQL that a killed run left behind");
      await cluster.stop();
    }
    await cluster.start();
    await createDatabase(cluster);
    log.info({ directory, pid: cluster.pid }, "embedded PostgreSQL started");
    const supervision = new AbortController();
    const supervised = supervise(cluster, supervision.signal, log);
    let stopped: Promise<void> | undefined;
    const stop = async () => {
      supervision.abort();
      await cluster.stop();
      await supervised;
      release();
    };
    return { url: cluster.url(DATABASE), stop: () => (stopped ??= stop()) };
  } catch (error) {
    release();
    throw error;
  }
}

async function own(directory: string): Promise<() => void> {
  try {
    return await takeOwnerLock(join(directory, "owner.lock"));
  } catch (error) {
    if (!(error instanceof OwnerLockHeldError)) throw error;
    throw new Error(
      `the data directory ${directory} is in use by the running process ${error.pid}: stop it, or set ` +
        "RECONCILE_DATA_DIR to another directory",
      { cause: error },
    );
  }
}

async function createDatabase(cluster: PostgresCluster): Promise<void> {
  const client = new DatabaseClient({ connectionString: cluster.url("postgres") });
  await client.connect();
  try {
    const found = await client.query("SELECT FROM pg_database WHERE datname = $1", [DATABASE]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
  } finally {
    await client.end();
  }
}

async function supervise(cluster: PostgresCluster, signal: AbortSignal, log: Logger): Promise<void> {
  for (;;) {
    await cluster.exited();
    if (signal.aborted) return;
    log.error("embedded PostgreSQL ended on its own; starting it again");
    await sleep(RESTART_DELAY_MS);
    if (signal.aborted) return;
    await cluster.start().catch((error: unknown) => log.error({ err: error }, "embedded PostgreSQL does not start"));
    if (signal.aborted) return cluster.stop(); // asked for while it was starting
  }
}
