import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Client } from "pg";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { identifyProcess } from "../../src/shared/process-identity.js";
import { startEmbeddedPostgres } from "../../src/state-manager/embedded-postgres.js";
import { runDirectory } from "../support/run-directory.js";

const log = pino({ level: "silent" });
let dataDir: string;
const cleanups: (() => unknown)[] = [];

beforeEach(() => {
  dataDir = mkdtempSync(join(runDirectory(), "embedded-"));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  rmSync(dataDir, { recursive: true, force: true });
});

describe("embedded PostgreSQL", () => {
  it("starts durable, on the loopback address, with a private password, and keeps data and port", async () => {
    const first = await start();
    const settings = ["fsync", "synchronous_commit", "full_page_writes", "data_checksums", "listen_addresses"];
    const shown = await query(
      first.url,
      `SELECT ${settings.map((name) => `current_setting('${name}')`).join(" || ' ' || ")} AS shown`,
    );
    expect(shown).toEqual([{ shown: "on on on on 127.0.0.1" }]);
    expect(
      await query(
        first.url,
        "SELECT datcollate, pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = 'reconcile'",
      ),
    ).toEqual([{ datcollate: "C", encoding: "UTF8" }]);
    expect(statSync(join(dataDir, "postgres/connection.json")).mode & 0o777).toBe(0o600);
    await query(first.url, "CREATE TABLE kept AS SELECT 7 AS n");
    await first.stop();
    await first.stop();
    await expect(query(first.url, "SELECT 1")).rejects.toThrow("ECONNREFUSED");

    const second = await start();
    expect(second.url).toBe(first.url);
    expect(await query(second.url, "SELECT n FROM kept")).toEqual([{ n: 7 }]);
  });

  it("refuses a wrong password", async () => {
    const { url } = await start();
    await expect(query(url.replace(/:[^:@]+@/, ":wrong@"), "SELECT 1")).rejects.toThrow(
      "password authentication failed",
    );
  });

  it("names the directory, the process and the remedy when a live process owns the data", async () => {
    await start();
    await expect(startEmbeddedPostgres({ dataDir, log })).rejects.toThrow(
      `the data directory ${join(dataDir, "postgres")} is in use by the running process ${process.pid}: stop it, or set RECONCILE_DATA_DIR to another directory`,
    );
  });

  it("takes over from a killed run: its PostgreSQL goes, acknowledged writes stay", async () => {
    const owner = spawn(process.execPath, ["--input-type=module", "-e", OWNER, dataDir], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(owner.stdout, "data");
    const { url, pid } = JSON.parse(String(line));
    owner.kill("SIGKILL");
    await once(owner, "exit");
    expect(identifyProcess(pid)).toBeDefined();

    const postgres = await start();
    expect(identifyProcess(pid)).toBeUndefined();
    expect(postgres.url).toBe(url);
    expect(await query(postgres.url, "SELECT n FROM kept")).toEqual([{ n: 7 }]);
  });

  it("starts beside the pid file of a crashed machine, also when a stranger has that number now", async () => {
    await (await start()).stop();
    const file = join(dataDir, "postgres/cluster/postmaster.pid");
    writeFileSync(
      file,
      `${process.pid}\n${join(dataDir, "postgres/cluster")}\n1700000000\n5432\n\n127.0.0.1\n  1 1\nready   \n`,
    );
    const postgres = await start();
    expect(await query(postgres.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  it("takes another port when a stranger has the remembered one", async () => {
    const first = await start();
    await first.stop();
    const stranger = createServer().listen(Number(new URL(first.url).port), "127.0.0.1");
    await once(stranger, "listening");
    cleanups.push(() => stranger.close());
    const second = await start();
    expect(new URL(second.url).port).not.toBe(new URL(first.url).port);
    expect(await query(second.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  it("comes back on the same port when PostgreSQL is killed", async () => {
    const { url } = await start();
    await query(url, "CREATE TABLE kept AS SELECT 7 AS n");
    const [postmaster] = await query(url, "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int AS pid");
    process.kill(Number(postmaster?.pid), "SIGKILL");
    await expect
      .poll(() => query(url, "SELECT n FROM kept").catch(() => "not yet"), { timeout: 15_000 })
      .toEqual([{ n: 7 }]);
  });
});

/** A program that starts PostgreSQL, writes a row, says where and waits to be killed. */
const OWNER = `
  const { startEmbeddedPostgres } = await import(${JSON.stringify(pathToFileURL(resolve("dist/src/state-manager/embedded-postgres.js")).href)});
  const { default: pg } = await import("pg");
  const log = { info() {}, warn() {}, error() {} };
  const { url } = await startEmbeddedPostgres({ dataDir: process.argv[1], log });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("CREATE TABLE kept AS SELECT 7 AS n");
  const { rows } = await client.query("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int AS pid");
  console.log(JSON.stringify({ url, pid: rows[0].pid }));
  setInterval(() => {}, 1000);
`;

async function start() {
  const postgres = await startEmbeddedPostgres({ dataDir, log });
  cleanups.push(() => postgres.stop());
  return postgres;
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
