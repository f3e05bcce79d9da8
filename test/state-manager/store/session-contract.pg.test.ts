import pg from "pg";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { Database } from "../../../src/state-manager/store/database.js";
import { connectSession } from "../../../src/state-manager/store/database-client.js";
import { migrate } from "../../../src/state-manager/store/migrate.js";
import { openStore, type PostgresStore } from "../../../src/state-manager/store/postgres-store.js";
import { PINNED, refuseTransactionPooler, verifySession } from "../../../src/state-manager/store/session-contract.js";
import { UnfitDatabaseError } from "../../../src/state-manager/store/unfit-database.js";
import { createDatabase, sharedPostgresVariable } from "../../support/postgres.js";
import { thing, thingKey } from "../../support/things.js";
import { until } from "../../support/until.js";

let admin: pg.Client;
beforeAll(async () => {
  admin = new pg.Client({ connectionString: process.env[sharedPostgresVariable] });
  await admin.connect();
});
afterAll(() => admin.end());

async function database(from?: "nothing"): Promise<{ url: string; name: string }> {
  const { url, drop } = await createDatabase(from);
  onTestFinished(drop);
  return { url, name: new URL(url).pathname.slice(1) };
}

async function open(databaseUrl: string): Promise<PostgresStore> {
  const store = await openStore({ databaseUrl, onCommitted: async () => {} });
  onTestFinished(() => store.close());
  return store;
}

/** One line, and what it says to do. */
async function refusalOf(opening: Promise<unknown>): Promise<string> {
  const error = await opening.then(
    () => new Error("nothing was refused"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UnfitDatabaseError);
  const { message } = error as Error;
  expect(message).not.toContain("\n");
  return message;
}

test("settings of the database (datestyle=German, array_nulls=off, …) change nothing: what is written is read", async () => {
  const { url, name } = await database();
  for (const setting of [
    "datestyle = German",
    "intervalstyle = sql_standard",
    "timezone = 'Asia/Kathmandu'",
    "array_nulls = off",
    "bytea_output = escape",
    "extra_float_digits = -15",
    "client_encoding = LATIN1",
    "standard_conforming_strings = off",
    "default_transaction_isolation = serializable",
    "statement_timeout = '1ms'",
    "lock_timeout = '1ms'",
    "row_security = on",
    "gin_fuzzy_search_limit = 1",
    "exit_on_error = on",
  ]) {
    await admin.query(`ALTER DATABASE ${name} SET ${setting}`);
  }
  const store = await open(url);
  const before = Date.now();
  const labels = new Map([["app", "größe 🚀"]]);
  for (const each of ["a", "b", "c"]) {
    await store.sink.submit({ type: "create", input: thing(each, { labels, specJson: '{"a":"🚀","n":0.1}' }) });
  }
  await expect(store.sink.submit({ type: "create", input: thing("a") })).rejects.toMatchObject({
    reason: "ALREADY_EXISTS",
  });
  const found = await store.reader.get(thingKey("a"));
  expect(found).toMatchObject({ specJson: '{"a":"🚀","n":0.1}', labels });
  expect(Math.abs((found?.createdAt.getTime() ?? 0) - before)).toBeLessThan(60_000);
  const page = await store.reader.list({
    filter: { kind: thingKey("a").kind },
    pendingOnly: true,
    afterId: 0n,
    offset: 0,
    limit: 10,
    maxBytes: 1_000_000,
  });
  expect(page.resources).toHaveLength(3);
});

test("options in DATABASE_URL are added to ours, and do not replace them", async () => {
  const { url } = await database();
  const added = new Database({ url: `${url}?options=-c%20work_mem%3D7MB%20--application-name%3Dmine`, poolSize: 1 });
  onTestFinished(() => added.close());
  const shown = await added.query({
    name: "shown",
    text: "SELECT current_setting('work_mem') AS work_mem, current_setting('lock_timeout') AS lock_timeout",
  });
  expect(shown).toEqual([{ work_mem: "7MB", lock_timeout: PINNED.get("lock_timeout") }]);
});

test("a LATIN1 database is refused in one line, with nothing written", async () => {
  const name = `test_latin1_${process.pid}`;
  await admin.query(`CREATE DATABASE ${name} ENCODING LATIN1 LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0`);
  onTestFinished(async () => void (await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)));
  const url = new URL(process.env[sharedPostgresVariable] ?? "");
  url.pathname = `/${name}`;
  expect(await refusalOf(migrate(url.href, {}))).toMatch(/^the database has the encoding LATIN1, .*ENCODING 'UTF8'/);
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  onTestFinished(() => client.end());
  expect((await client.query("SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace")).rowCount).toBe(0);
});

test("session_replication_role=replica, a wrong password, a missing database and missing rights are refused in one line each", async () => {
  const { url, name } = await database("nothing");
  const role = `stranger_${process.pid}`;
  await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'known'`);
  onTestFinished(async () => void (await admin.query(`DROP ROLE ${role}`)));
  const as = (user: string, password: string, path = name) => {
    const other = new URL(url);
    Object.assign(other, { username: user, password, pathname: `/${path}` });
    return migrate(other.href, {});
  };
  expect(await refusalOf(as(role, "wrong"))).toMatch(/^PostgreSQL refuses the login \(.*\): correct DATABASE_URL/);
  expect(await refusalOf(as(role, "known", "nowhere"))).toMatch(/"nowhere" does not exist: create it/);
  expect(await refusalOf(as(role, "known"))).toMatch(
    /^the role of DATABASE_URL lacks a right \(.*\): make it the owner/,
  );
  await admin.query(`ALTER DATABASE ${name} SET session_replication_role = replica`);
  expect(await refusalOf(migrate(url, {}))).toMatch(/^session_replication_role is replica, .*RESET/);
});

test("a read-only primary is said to be read-only: by writes, health and at start; reads go on, and writes when it is over", async () => {
  const { url, name } = await database();
  const store = await open(url);
  await store.sink.submit({ type: "create", input: thing("before") });
  expect(await store.problem()).toBe("");
  await admin.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
  await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", [name]);
  await until(async () => (await store.problem()).startsWith("the database is read-only"));
  const refused = store.sink.submit({ type: "create", input: thing("meanwhile") });
  await expect(refused).rejects.toMatchObject({ code: "UNAVAILABLE", message: /^the database is read-only/ });
  expect(await store.reader.get(thingKey("before"))).toBeDefined();
  expect((await store.health()).problem).toMatch(/^the database is read-only/);
  await expect(openStore({ databaseUrl: url, onCommitted: async () => {} })).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: /^the database is read-only/,
  });
  await admin.query(`ALTER DATABASE ${name} RESET default_transaction_read_only`);
  await until(async () => (await store.problem()) === "");
  expect((await store.sink.submit({ type: "create", input: thing("after") })).outcome).toBe("CREATED");
});

/** A session that says of itself what a test wants. */
function session(facts: Readonly<Record<string, unknown>>): pg.ClientBase {
  const settings = [...PINNED.values(), "origin"];
  const row = { pid: 1, version: "18.4", encoding: "UTF8", is_standby: false, settings, ...facts };
  return { processID: 1, query: async () => ({ rows: [row] }) } as unknown as pg.ClientBase;
}

test("a standby may be promoted, so it is UNAVAILABLE and not refused for good", async () => {
  await expect(verifySession(session({ is_standby: true }))).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: /^the database is read-only \(a standby/,
  });
});

test("PostgreSQL 16, and a pooler that drops settings, are refused; 17 and 18 are not", async () => {
  expect(await refusalOf(verifySession(session({ version: "16.11 (Debian)" })))).toMatch(
    /^PostgreSQL 16.11 \(Debian\) is too old, 17 and 18 are supported: /,
  );
  expect(
    await refusalOf(verifySession(session({ settings: ["0", ...[...PINNED.values()].slice(1), "origin"] }))),
  ).toMatch(/^the session has lock_timeout = 0 where 3s was asked for: a connection pooler drops settings/);
  for (const version of ["17.9", "18.4"]) expect(await verifySession(session({ version }))).toEqual({ isDirect: true });
  expect(await verifySession(session({ pid: 2 }))).toEqual({ isDirect: false });
});

test("a transaction pooler is refused: two statements of a connection reach two backends", async () => {
  // Backends that are free, the one used last first, as PgBouncer lends them.
  const free = [1, 2];
  const connect = () => {
    let held: number | undefined;
    const query = async (statement: unknown) => {
      if (statement === "BEGIN") held = free.shift();
      return { rows: [{ pid: held ?? free[0] }] };
    };
    return { query, end: async () => {} } as unknown as pg.Client;
  };
  expect(await refusalOf(refuseTransactionPooler(connect(), async () => connect()))).toMatch(
    /a transaction pooler cannot be used; name PostgreSQL itself/,
  );
});

test("a pooler that keeps one session for a connection passes", async () => {
  const { url } = await database();
  const { client } = await connectSession(url);
  onTestFinished(() => client.end());
  await refuseTransactionPooler(client, async () => (await connectSession(url)).client);
});
