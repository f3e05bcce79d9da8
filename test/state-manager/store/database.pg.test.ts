import { afterAll, beforeAll, expect, test } from "vitest";
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
