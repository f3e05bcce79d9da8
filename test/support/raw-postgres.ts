/** PostgreSQL started by hand, where the product's way does not fit: with a clock of its own, or as a standby. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { freePort } from "../../src/shared/free-port.js";
import {
  choosePostgresUser,
  commandAs,
  findPostgresBinaries,
} from "../../src/state-manager/embedded-postgres/binaries.js";
import { type PostgresCluster, startPostgres } from "./postgres.js";
import { runDirectory } from "./run-directory.js";
import { until } from "./until.js";

/** How a data directory is run. */
export interface RunOptions {
  readonly dataDir: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Answers when it takes connections, also those of a standby. */
  readonly url: string;
}

/** A running postmaster. */
export interface RawPostgres {
  /** `immediate` is a crash. Safe when it has ended. */
  stop(mode?: "fast" | "immediate"): Promise<void>;
}

/** Runs a data directory that exists. */
export async function runPostgres({ dataDir, port, settings, env, url }: RunOptions): Promise<RawPostgres> {
  const { postgres } = await findPostgresBinaries();
  const { file, args, ...identity } = commandAs(choosePostgresUser(dataDir), postgres, dataDir);
  const options = Object.entries({ ...settings, port }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(file, [...args, "-D", dataDir, ...options], {
    ...identity,
    cwd: "/",
    env: { PATH: process.env.PATH, LC_ALL: "C", TZ: "UTC", ...env },
    stdio: ["ignore", "ignore", "ignore"],
  });
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  await until(() => hasEnded() || answers(url), { timeoutMs: 60_000, everyMs: 100, what: "PostgreSQL answers" });
  if (hasEnded()) throw new Error(`PostgreSQL in ${dataDir} did not start`);
  return {
    async stop(mode = "fast") {
      if (hasEnded()) return;
      child.kill(mode === "fast" ? "SIGINT" : "SIGQUIT");
      await once(child, "exit");
    },
  };
}

/** `libfaketime`, where Debian and Ubuntu put it; undefined when it is not installed. */
const FAKETIME = ["x86_64", "aarch64"]
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find((file) => existsSync(file));

/** Whether clocks can be set here. */
export const hasFaketime: boolean = FAKETIME !== undefined;

/** A PostgreSQL whose clock can be set. */
export interface SteppedPostgres extends PostgresCluster {
  /** From now on its clock shows the machine's, and `ms` more. */
  setClockAhead(ms: number): void;
}

/** Makes a cluster as `startPostgres` does, and runs it with a clock of its own. */
export async function startSteppedPostgres(): Promise<SteppedPostgres> {
  const cluster = await startPostgres();
  await cluster.stop();
  const offsetFile = join(mkdtempSync(join(runDirectory(), "clock-")), "offset");
  chmodSync(join(offsetFile, ".."), 0o755); // PostgreSQL's own user reads it.
  const setClockAhead = (ms: number) => {
    // Renamed into place: a reader finds the old offset or the new one.
    writeFileSync(`${offsetFile}.new`, `${ms < 0 ? "" : "+"}${ms / 1000}\n`);
    renameSync(`${offsetFile}.new`, offsetFile);
  };
  setClockAhead(0);
  const env = {
    LD_PRELOAD: FAKETIME ?? "",
    FAKETIME_TIMESTAMP_FILE: offsetFile,
    FAKETIME_NO_CACHE: "1",
    // Waits last as long as they last.
    ...{ FAKETIME_DONT_FAKE_MONOTONIC: "1", DONT_FAKE_MONOTONIC: "1", FAKETIME_DISABLE_SHM: "1" },
  };
  const { dataDir, url } = cluster;
  const port = Number(new URL(url).port);
  const settings = { listen_addresses: "127.0.0.1", unix_socket_directories: "", max_connections: "200" };
  let running = await runPostgres({ dataDir, port, settings, env, url });
  const start = async () => {
    running = await runPostgres({ dataDir, port, settings, env, url });
  };
  return {
    ...{ url, dataDir, setClockAhead, start },
    stop: (mode) => running.stop(mode),
    async restart(mode) {
      await running.stop(mode);
      await start();
    },
    async remove() {
      await running.stop("immediate");
      await cluster.remove();
    },
  };
}

/** The port nothing listens on yet, and the address of a copy of `primary` there: passwords are copied with the data. */
export async function addressOfCopy(
  primary: PostgresCluster,
): Promise<{ readonly port: number; readonly url: string }> {
  const port = await freePort();
  const url = new URL(primary.url);
  url.port = String(port);
  return { port, url: url.href };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {}); // Refused until it runs.
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}
