import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestStore, type TestStore } from "../../support/store.js";
import { thing } from "../../support/things.js";

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

const PLANS = "SELECT name, custom_plans::integer FROM pg_prepared_statements WHERE generic_plans + custom_plans >= 3";

test("no statement of a commit is planned anew with every batch", async () => {
  for (let i = 0; i < 3; i++) {
    const input = thing(`planned-${i}`, { shardId: `shard-${i}` });
    await store.sink.submit({ type: "create", input });
    await store.sink.submit({ type: "update", input: { ...input, specJson: "1" }, expected: {} });
  }
  // One at a time they all went over one connection, the one that is lent again now.
  const plans = await store.database.query<{ name: string; custom_plans: number }>({ name: "plans", text: PLANS });
  expect(plans.map(({ name }) => name)).toEqual(expect.arrayContaining(["lock-work-items", "read-log-ends"]));
  expect(plans.filter((plan) => plan.custom_plans > 0)).toEqual([]);
});

test("a statement planned for its values leaves the connection as it was, also when it fails", async () => {
  const mode = await store.database.withConnection(async (connection) => {
    const divide = { name: "divide", text: "SELECT 1 / $1::integer", isPrepared: false };
    expect(await connection.query(divide, [1])).toHaveLength(1);
    await expect(connection.query(divide, [0])).rejects.toThrow("division by zero");
    return connection.query({ name: "mode", text: "SHOW plan_cache_mode" });
  });
  expect(mode).toEqual([{ plan_cache_mode: "force_generic_plan" }]);
});

const bound = (name: string, text: string, ...values: unknown[]) => ({ statement: { name, text }, values });

describe("statements sent as one", () => {
  test("answer each with its rows, when they are new to the connection and when they are not", async () => {
    const statements = [
      bound("twice", "SELECT $1::bigint * 2 AS twice, $2::text[] AS texts", 21n, ['a"b\\c', null, "", "NULL"]),
      bound("bytes", "SELECT $1::bytea AS one, $2::bytea[] AS many", new Uint8Array([0, 92]), [
        Buffer.from([0, 255]),
        null,
      ]),
      bound("none", "SELECT 1 WHERE $1", false),
      bound("twice", "SELECT $1::bigint * 2 AS twice, $2::text[] AS texts", null, []),
    ];
    const bytes = { one: Buffer.from([0, 92]), many: [Buffer.from([0, 255]), null] };
    const rows = [[{ twice: 42n, texts: ['a"b\\c', null, "", "NULL"] }], [bytes], [], [{ twice: null, texts: [] }]];
    await store.database.withConnection(async (connection) => {
      expect(await connection.queryAll(statements)).toEqual(rows);
      expect(await connection.queryAll(statements)).toEqual(rows);
    });
  });

  test("are a transaction: what comes behind a failure does not run, and what came before is taken back", async () => {
    await store.database.query({ name: "table", text: "CREATE TABLE marks (mark integer)" });
    const mark = (value: number) => bound("mark", "INSERT INTO marks VALUES ($1)", value);
    const divide = bound("divide", "SELECT 1 / $1::integer", 0);
    await store.database.withConnection(async (connection) => {
      // The first time nothing is prepared yet; what a failed group had prepared must not stand in the way of the next.
      for (let i = 0; i < 2; i++) {
        await expect(connection.queryAll([mark(1), divide, mark(2)])).rejects.toThrow("division by zero");
      }
      await connection.queryAll([mark(3)]);
      expect(await connection.query({ name: "marks", text: "SELECT mark FROM marks" })).toEqual([{ mark: 3 }]);
    });
  });

  test("are refused when a name stands for another text already, and the connection goes on", async () => {
    await store.database.withConnection(async (connection) => {
      await connection.queryAll([bound("same", "SELECT 1 AS one WHERE $1", true)]);
      const other = connection.queryAll([bound("same", "SELECT 2 AS two WHERE $1", true)]);
      await expect(other).rejects.toThrow("the statement same was prepared with another text");
      expect(await connection.queryAll([bound("same", "SELECT 1 AS one WHERE $1", true)])).toEqual([[{ one: 1 }]]);
    });
  });

  test("are not sent at all with a value that is none", async () => {
    const sent = store.database.queryAll([bound("one", "SELECT $1::integer", {})]);
    await expect(sent).rejects.toThrow("a statement cannot take object as a parameter");
  });
});
