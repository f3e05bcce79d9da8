import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../src/state-manager/store/migrate.js";
import { openStore } from "../../../src/state-manager/store/postgres-store.js";
import { UnfitDatabaseError } from "../../../src/state-manager/store/unfit-database.js";
import { createDatabase } from "../../support/postgres.js";
import { thing } from "../../support/things.js";

let url: string;
let drop: () => Promise<void>;
let client: pg.Client;
beforeAll(async () => {
  ({ url, drop } = await createDatabase("nothing"));
  client = new pg.Client({ connectionString: url });
  await client.connect();
});
afterEach(() => client.query("DROP SCHEMA IF EXISTS app, public CASCADE; CREATE SCHEMA public"));
afterAll(async () => {
  await client.end();
  await drop();
});

async function relations(): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT relname::text AS name FROM pg_class WHERE relnamespace IN ('public'::regnamespace, to_regnamespace('app')) ORDER BY 1",
  );
  return rows.map(({ name }) => name);
}

const ORIGINALS = `
  CREATE TABLE resources (id serial PRIMARY KEY, shard_id varchar(255) NOT NULL DEFAULT 'default', resource_group varchar(255),
    kind varchar(255), namespace varchar(255), name varchar(255), deletion_timestamp timestamptz, finalizers jsonb, spec jsonb,
    status jsonb, version bigint NOT NULL DEFAULT 1, current_version bigint NOT NULL DEFAULT 0);
  CREATE TABLE labels (id serial PRIMARY KEY, resource_id integer REFERENCES resources ON DELETE CASCADE, name varchar(255))`;

test.each([
  [
    "the original system",
    ORIGINALS,
    /belongs to an installation of the original system \(it has resources\).*createdb/,
  ],
  [
    "a program with a table migrations of its own",
    "CREATE TABLE migrations (id integer, migration text, batch integer)",
    /belongs to another program \(it has migrations\)/,
  ],
  [
    "a program that migrates with the same library",
    "CREATE TABLE migrations (id serial, name text, run_on timestamp); INSERT INTO migrations (name) VALUES ('1_users')",
    /another program \(it has migrations\)/,
  ],
  ["a program with a table events", "CREATE TABLE events (id integer)", /another program \(it has events\)/],
  ["a program with a view store", "CREATE VIEW store AS SELECT 1 AS id", /another program \(it has store\)/],
])("a database of %s is refused in one line and left as it is", async (_, tables, message) => {
  await client.query(tables);
  const before = await relations();
  const error = await migrate(url, {}).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UnfitDatabaseError);
  expect(error).toMatchObject({ message });
  expect(String(error)).not.toContain("\n");
  expect(await relations()).toEqual(before);
});

test("tables of other programs with other names do not matter, nor does what a killed first start left", async () => {
  await client.query(
    "CREATE TABLE users (id integer); CREATE TABLE migrations (id serial, name text, run_on timestamp)",
  );
  const { storeId } = await migrate(url, {});
  expect((await migrate(url, {})).storeId).toBe(storeId);
  expect(await relations()).toContain("users");
});

test("a store in a schema of its own is found there, and said to be hidden when search_path changes", async () => {
  await client.query("CREATE SCHEMA app");
  const inApp = `${url}?options=-c%20search_path%3Dapp`;
  const store = await openStore({ databaseUrl: inApp, onCommitted: async () => {} });
  try {
    await store.sink.submit({ type: "create", input: thing("a") });
    expect((await store.health()).problem).toBe("");
  } finally {
    await store.close();
  }
  const { rows } = await client.query("SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace");
  expect(rows).toEqual([]);
  await expect(migrate(url, {})).rejects.toThrowError(/is in the schema app, which search_path does not name/);
  expect((await migrate(inApp, {})).searchPath).toBe('"app"');
});
