/** An asynchronous standby of a test's PostgreSQL: it can be left behind, and then be made the primary. */
import { execFileSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { querySql } from "./history.js";
import type { PostgresCluster } from "./postgres.js";
import { addressOfCopy, runPostgres } from "./raw-postgres.js";
import { runDirectory } from "./run-directory.js";
import { startTcpProxy } from "./tcp-proxy.js";
import { until } from "./until.js";

/** What a primary needs so that a standby can follow it from the copy on. */
export const PRIMARY_SETTINGS = { wal_keep_size: "512MB" };

/** A running standby. */
export interface Standby {
  readonly url: string;
  readonly port: number;
  /** Resolves when it has replayed all that the primary has committed so far. */
  catchUp(): Promise<void>;
  /** It hears nothing of the primary any more. */
  leaveBehind(): Promise<void>;
  /** Makes it the primary; resolves when it takes writes. */
  promote(): Promise<void>;
  remove(): Promise<void>;
}

/** Copies a running primary, as a base backup does, and lets the copy follow it. */
export async function startStandby(primary: PostgresCluster): Promise<Standby> {
  const { port, url } = await addressOfCopy(primary);
  const dataDir = join(mkdtempSync(join(runDirectory(), "postgres-")), "cluster");
  execFileSync("chmod", ["711", join(dataDir, "..")]); // PostgreSQL's own user must reach its data directory below it.
  await copyRunning(primary, dataDir);
  const { hostname: host, port: primaryPort, username, password } = new URL(primary.url);
  const link = await startTcpProxy({ host, port: Number(primaryPort) });
  const settings = {
    ...{ listen_addresses: "127.0.0.1", unix_socket_directories: "", max_connections: "200", ...PRIMARY_SETTINGS },
    primary_conninfo: `host=127.0.0.1 port=${link.port} user=${username} password=${password}`,
  };
  const running = await runPostgres({ dataDir, port, settings, url });
  let isLinked = true;
  const leaveBehind = async () => {
    if (isLinked) await link.close();
    isLinked = false;
  };
  return {
    ...{ url, port, leaveBehind },
    async catchUp() {
      const [row] = await querySql<{ lsn: string }>(primary.url, "SELECT pg_current_wal_flush_lsn()::text AS lsn");
      const question = `SELECT pg_last_wal_replay_lsn() >= '${row?.lsn}'::pg_lsn AS done`;
      const hasAll = async () => (await querySql<{ done: boolean }>(url, question))[0]?.done;
      await until(hasAll, { timeoutMs: 60_000, everyMs: 100, what: "the standby has caught up" });
    },
    promote: async () => void (await querySql(url, "SELECT pg_promote(true, 60)")),
    async remove() {
      await leaveBehind();
      await running.stop("immediate");
      rmSync(join(dataDir, ".."), { recursive: true, force: true });
    },
  };
}

/** The backup functions, as the bundled programs have no pg_basebackup. One session has to begin and end it. */
async function copyRunning(primary: PostgresCluster, to: string): Promise<void> {
  const client = new pg.Client({ connectionString: primary.url });
  await client.connect();
  try {
    await client.query("SELECT pg_backup_start('standby', true)");
    execFileSync("cp", ["-a", primary.dataDir, to]);
    const { rows } = await client.query<{ labelfile: string }>("SELECT labelfile FROM pg_backup_stop(false)");
    const { uid, gid } = statSync(to);
    for (const [name, text] of [
      ["backup_label", rows[0]?.labelfile ?? ""],
      ["standby.signal", ""],
    ] as const) {
      writeFileSync(join(to, name), text);
      chownSync(join(to, name), uid, gid);
    }
    for (const name of ["postmaster.pid", "postmaster.opts"]) rmSync(join(to, name), { force: true });
  } finally {
    await client.end();
  }
}
