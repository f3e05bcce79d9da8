import { fileURLToPath } from "node:url";
import { runner } from "node-pg-migrate";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { IncompatibleStoreError, migrate } from "../../../src/state-manager/store/migrate.js";
import { createDatabase } from "../../support/postgres.js";

const MIGRATIONS = fileURLToPath(new URL("../../../src/state-manager/store/migrations/", import.meta.url));

async function openEmpty(): Promise<{ url: string; sql: (text: string) => Promise<pg.QueryResult> }> {
  const database = await createDatabase("nothing");
  const client = new pg.Client({ connectionString: database.url });
  client.on("error", () => {}); // The drop of the database cuts it.
  await client.connect();
  onTestFinished(async () => {
    await client.end();
    await database.drop();
  });
  return { url: database.url, sql: (text) => client.query(text) };
}

test("0003: an old store's items are ready or scheduled by their due time, and old programs are kept off", async () => {
  const { url, sql } = await openEmpty();
  const options = { databaseUrl: url, dir: MIGRATIONS, migrationsTable: "migrations", log: () => {} };
  await runner({ ...options, direction: "up", count: 1 });
  await sql("INSERT INTO store (store_id, log_count) VALUES (gen_random_uuid(), 1)");
  await sql(`
    INSERT INTO work_items (resource_group, kind, namespace, name, resource_id, shard_id, wanted, due_at, priority, reason, is_pending)
    SELECT 'g', 'k', 'n', name, 1, 's', 1, now() + due, 0, 'CREATED', true
    FROM (VALUES ('due', interval '-1 s'), ('later', interval '1 h')) AS v (name, due)`);
  await migrate(url, {});
  const { rows } = await sql("SELECT name, is_ready FROM work_items ORDER BY name");
  expect(rows).toEqual([
    { name: "due", is_ready: true },
    { name: "later", is_ready: false },
  ]);
  expect((await sql("SELECT oldest_program_schema FROM store")).rows).toEqual([{ oldest_program_schema: 2 }]);
});

test("0004: resources whose status says that they are not ready are known as such, whatever else statuses say", async () => {
  const { url, sql } = await openEmpty();
  const options = { databaseUrl: url, dir: MIGRATIONS, migrationsTable: "migrations", log: () => {} };
  await runner({ ...options, direction: "up", count: 2 });
  const statuses = {
    unready: '{"conditions":[{"type":"Ready","status":"False","n":1e400}]}',
    unknown: '{"conditions":[{"type":"Ready"}]}',
    ready: '{"conditions":[{"type":"Ready","status":"True"}]}',
    other: '{"note":"Ready","conditions":[1,{"type":"Other","status":"Ready"}]}',
    odd: '{"type":"Ready","conditions":{"type":"Ready"}}',
    text: '"Ready"',
  };
  for (const [name, status] of Object.entries(statuses)) {
    await sql(`
      INSERT INTO resources (id, resource_group, kind, namespace, name, uid, shard_id, log_id, labels, annotations, finalizers,
        status, generation, observed_generation, revision, write_count, bytes, created_at, updated_at)
      SELECT nextval('resource_ids'), 'g', 'k', 'n', '${name}', gen_random_uuid(), 's', 0, '{}', '{}', '[]', '${status}', 1, 1, 1,
        1, 0, now(), now()`);
  }
  await migrate(url, {});
  const { rows } = await sql("SELECT name FROM resources WHERE is_unready ORDER BY id");
  expect(rows.map(({ name }) => name)).toEqual(["unready", "unknown"]);
});

test("0007: an old store has the streams of existing operators off, until somebody says so, and old programs may go on", async () => {
  const { url, sql } = await openEmpty();
  const options = { databaseUrl: url, dir: MIGRATIONS, migrationsTable: "migrations", log: () => {} };
  await runner({ ...options, direction: "up", count: 5 });
  await sql("INSERT INTO store (store_id, log_count) VALUES (gen_random_uuid(), 1)");
  const stored = async () => (await sql("SELECT compat_streams, oldest_program_schema FROM store")).rows;
  const after = async (compatStreams?: boolean) => {
    await migrate(url, { compatStreams });
    return stored();
  };
  expect(await after()).toEqual([{ compat_streams: false, oldest_program_schema: 2 }]);
  expect(await after(true)).toEqual([{ compat_streams: true, oldest_program_schema: 2 }]);
  expect(await after()).toEqual([{ compat_streams: true, oldest_program_schema: 2 }]);
  expect(await after(false)).toEqual([{ compat_streams: false, oldest_program_schema: 2 }]);
});

test("refuses a store that asks for a newer program", async () => {
  const { url, sql } = await openEmpty();
  await migrate(url, {});
  await sql("UPDATE store SET oldest_program_schema = 3");
  await expect(migrate(url, {})).rejects.toThrow(IncompatibleStoreError);
});
