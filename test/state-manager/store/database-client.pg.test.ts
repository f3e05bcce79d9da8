import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { DomainError } from "../../../src/resource/errors.js";
import { Database, PING } from "../../../src/state-manager/store/database.js";
import { DatabaseClient } from "../../../src/state-manager/store/database-client.js";
import { openStore } from "../../../src/state-manager/store/postgres-store.js";
import { startEndingPostgres } from "../../support/ending-postgres.js";
import { createDatabase } from "../../support/postgres.js";
import { thing } from "../../support/things.js";
import { until } from "../../support/until.js";

async function openEnding(count: number): Promise<string> {
  const { url, drop } = await createDatabase();
  const target = new URL(url);
  const server = await startEndingPostgres({ host: target.hostname, port: Number(target.port) }, count);
  onTestFinished(async () => {
    await server.close();
    await drop();
  });
  target.port = String(server.port);
  return target.href;
}

test("a connection that PostgreSQL ends in the write that accepts it is UNAVAILABLE and not the end of the process", async () => {
  const database = new Database({ url: await openEnding(5) });
  onTestFinished(() => database.close());
  const calls = Array.from({ length: 5 }, () => database.query(PING));
  for (const result of await Promise.allSettled(calls)) {
    expect(result).toMatchObject({ status: "rejected", reason: { code: "UNAVAILABLE", reason: "STORE_UNAVAILABLE" } });
  }
  expect(await database.query(PING)).toHaveLength(1);
});

test("every kind of connection survives it: also one that nobody has lent yet", async () => {
  const client = new DatabaseClient({ connectionString: await openEnding(1) });
  await client.connect();
  // The error has come by now, or comes with the next read; nobody but the client itself listens.
  await expect(client.query("SELECT 1")).rejects.toThrow();
  await client.end().catch(() => {});
});

/** A slice: `npm run nightly` has a storm of 30 s. */
const STORM_MS = 3_000;

test("a storm of pg_terminate_backend leaves the process alive: UNAVAILABLE meanwhile, then everything works", {
  timeout: STORM_MS + 30_000,
}, async () => {
  const { url, drop } = await createDatabase();
  onTestFinished(drop);
  const store = await openStore({ databaseUrl: url, onCommitted: async () => {} });
  onTestFinished(() => store.close());
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  onTestFinished(() => admin.end());
  const codes = new Map<string, number>();
  let isOver = false;
  let next = 0;
  const writers = Array.from({ length: 16 }, async () => {
    while (!isOver) {
      const code = await store.sink.submit({ type: "create", input: thing(`n-${next++}`) }).then(
        () => "OK",
        (error: unknown) => (error instanceof DomainError ? error.code : String(error)),
      );
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  });
  const readers = Array.from({ length: 8 }, async () => {
    while (!isOver) await store.problem();
  });
  let terminated = 0;
  for (const end = performance.now() + STORM_MS; performance.now() < end; ) {
    const { rowCount } = await admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()",
    );
    terminated += rowCount ?? 0;
  }
  isOver = true;
  await Promise.all([...writers, ...readers]);
  expect(terminated).toBeGreaterThan(10);
  expect([...codes.keys()].filter((code) => !["OK", "UNAVAILABLE", "DEADLINE_EXCEEDED"].includes(code))).toEqual([]);
  await until(() => store.sink.submit({ type: "create", input: thing(`after-${next++}`) }));
});
