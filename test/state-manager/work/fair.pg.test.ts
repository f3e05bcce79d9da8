import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Priority } from "../../../src/resource/work.js";
import type { Statement } from "../../../src/state-manager/store/database.js";
import { MARK_TURNS, PEEK } from "../../../src/state-manager/store/statements/lease-work.js";
import { LeaseQuery } from "../../../src/state-manager/work/lease-query.js";
import { Turns } from "../../../src/state-manager/work/turns.js";
import type { LeasedItem } from "../../../src/state-manager/work/work-service.js";
import { until } from "../../support/until.js";
import {
  fillQueue,
  first,
  KIND,
  keyOf,
  leaseNow,
  openWork,
  registration,
  report,
  type Work,
  write,
} from "./open-work.js";

let work: Work;
let sessionId: string;
const known = registration({ concurrency: 10_000, leaseDurationMs: 600_000 });
beforeEach(async () => {
  work = await openWork();
  ({ sessionId } = await work.queue.register(known));
});
afterEach(() => work.close());

const namesOf = (items: readonly LeasedItem[]) => items.map((item) => item.resource.key.name);
const namespacesOf = (items: readonly LeasedItem[]) => items.map((item) => item.resource.key.namespace);

interface PlanNode {
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
}

/** Pages the statement touches in the generic plan that the pool's connections use; it is rolled back. `values` is SQL. */
async function pagesOf({ text, isInOrder }: Statement, values: string): Promise<number> {
  const rows = await work.store.database.withConnection(async (connection) => {
    const run = <Row>(name: string, text: string) => connection.query<Row>({ name, text });
    const sort = isInOrder ? "off" : "on";
    await run(
      "set",
      `SET plan_cache_mode = force_generic_plan; SET enable_sort = ${sort}; SET enable_incremental_sort = ${sort}`,
    );
    await run(`prepare-${text.length}`, `PREPARE measured AS ${text}`);
    await run("begin", "BEGIN");
    try {
      return await run<{ "QUERY PLAN": string }>(
        "explain",
        `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE measured(${values})`,
      );
    } finally {
      await run("rollback", "ROLLBACK");
      await run("deallocate", "DEALLOCATE measured");
      await run("reset", "RESET plan_cache_mode; RESET enable_sort; RESET enable_incremental_sort");
    }
  });
  const [plan] = JSON.parse(first(rows)["QUERY PLAN"]) as { Plan: PlanNode }[];
  if (plan === undefined) throw new Error("EXPLAIN returned no plan");
  return plan.Plan["Shared Hit Blocks"] + plan.Plan["Shared Read Blocks"];
}

/** Of a lease of 50 from class 0 that goes on after `namespace`. */
const pagesOfLease = (namespace: string) =>
  pagesOf(MARK_TURNS, `'${sessionId}', 'apps', 'Widget', 50, false, '{0}', '{${namespace}}', '{0}', '{116}', true`);

/** Of the question whether there is anything to lease. */
const pagesOfPeek = () => pagesOf(PEEK, `'${sessionId}', 'apps', 'Widget'`);

describe("turns over namespaces", { timeout: 120_000 }, () => {
  test("a lease of 50 out of 100,000 in 10,000 namespaces touches some pages per item, and the look before it a few, with statistics and without", async () => {
    await fillQueue(work, 100_000, { namespace: "'ns' || i % 10000" });
    expect(await pagesOfLease("ns5")).toBeLessThan(2_000);
    expect(await pagesOfPeek()).toBeLessThan(50);
    // Statistics of a queue in which nothing is leased make every index of leases look like one row.
    await work.sql("ANALYZE");
    expect(await pagesOfLease("ns5")).toBeLessThan(2_000);
    expect(await pagesOfPeek()).toBeLessThan(50);
    const namespaces = [...namespacesOf(await leaseNow(work, sessionId, 50))];
    namespaces.push(...namespacesOf(await leaseNow(work, sessionId, 50)));
    // By turns: the next lease goes on where the last one ended.
    expect(new Set(namespaces).size).toBe(100);
    expect(namespaces).toEqual([...namespaces].sort());
  });

  test("a queue that filled after it had been analysed empty is not read and sorted: a lease took 200 ms then", async () => {
    await fillQueue(work, 1);
    await work.sql("VACUUM (ANALYZE) work_items");
    await fillQueue(work, 30_000, { from: 2 });
    expect(await pagesOfPeek()).toBeLessThan(50);
    expect(await pagesOfLease("")).toBeLessThan(3_000);
  });

  test("one item beside 100,000 of another namespace is in the first answer, and served by the second lease of 1", async () => {
    await fillQueue(work, 100_000, { namespace: "'crowd'" });
    await fillQueue(work, 1, { from: 100_001, namespace: "'single'", dueAt: "now()" });
    expect(await pagesOfLease("")).toBeLessThan(3_000);
    const one = await leaseNow(work, sessionId, 1);
    const two = await leaseNow(work, sessionId, 1);
    expect(namespacesOf([...one, ...two])).toEqual(["crowd", "single"]);
    await work.sql(
      "UPDATE work_items SET due_at = now(), lease_token = NULL, lease_session_id = NULL, lease_resource_id = NULL, lease_wanted = NULL, leased_at = NULL, lease_deadline = NULL WHERE namespace = 'single'",
    );
    const answer = await leaseNow(work, sessionId, 16);
    expect(answer).toHaveLength(16);
    expect(namespacesOf(answer)).toContain("single");
    // Of one namespace the earliest come first.
    expect(namesOf(one)).toEqual(["r100000"]);
  });

  test("one ready item among 10,000 namespaces of scheduled ones is found at once", async () => {
    await fillQueue(work, 10_000, { namespace: "'ns' || i", dueAt: "now() + interval '1 hour'" });
    await fillQueue(work, 1, { from: 10_001, namespace: "'ns5000'", dueAt: "now()" });
    expect(await pagesOfLease("ns7")).toBeLessThan(100);
    expect(namesOf(await leaseNow(work, sessionId, 50))).toEqual(["r10001"]);
    expect((await work.statements()).has("promote-work")).toBe(false);
  });

  test("scheduled items join the turns when their time has come", async () => {
    await fillQueue(work, 3, { dueAt: "now() + interval '1 hour'", priority: "i - 1" });
    expect(await leaseNow(work, sessionId)).toEqual([]);
    await work.sql("UPDATE work_items SET due_at = now() WHERE name <> 'r1'");
    expect(namesOf(await leaseNow(work, sessionId))).toEqual(["r2", "r3"]);
  });

  test("what a transaction holds is passed over", async () => {
    await fillQueue(work, 20);
    await work.store.database.transaction(async (connection) => {
      await connection.query({
        name: "hold",
        text: "SELECT FROM work_items WHERE name <> 'r1' FOR UPDATE",
        isPrepared: false,
      });
      expect(namesOf(await leaseNow(work, sessionId, 2))).toEqual(["r1"]);
    });
  });

  test("a waiting call's session with shards gets its own turns", async () => {
    const blue = await work.queue.register({ ...known, instanceId: "blue", shardIds: ["blue"] });
    await fillQueue(work, 10, { namespace: "'ns' || i" });
    await work.sql("UPDATE work_items SET shard_id = 'blue' WHERE name IN ('r3', 'r7')");
    expect(namesOf(await leaseNow(work, blue.sessionId)).sort()).toEqual(["r3", "r7"]);
  });
});

describe("shares of the classes", { timeout: 120_000 }, () => {
  test.each([
    [400, 1, false],
    [400, 1, true],
    [1_000, 50, false],
    [1_000, 50, true],
  ])("of %i leases taken by %i every class gets a tenth at least; expected: %s", async (all, maxItems, isExpected) => {
    await fillQueue(work, 4_400, { namespace: "'ns' || i % 7", priority: "i % 4 - 1" });
    const query = new LeaseQuery(work.store.database);
    const turns = new Turns();
    const leased = new Map<Priority, number>();
    for (let total = 0; total < all; ) {
      const look = await query.look({ session: { ...known, sessionId }, kind: KIND, maxItems, turns, isExpected });
      if (look.type !== "leased") throw new Error(`after ${total} leases: ${look.type}`);
      for (const { priority } of look.items) leased.set(priority, (leased.get(priority) ?? 0) + 1);
      total += look.items.length;
    }
    for (const priority of [0, 1, 2] as const) expect(leased.get(priority)).toBeGreaterThanOrEqual(all / 10);
    expect(leased.get(-1)).toBeGreaterThan(all / 2);
  });
});

describe("the annotation reconcile.dev/priority", () => {
  const annotated = (word: string) => ({ annotations: { "reconcile.dev/priority": word } });
  const priorities = async () =>
    new Map((await work.queue.listWork({}, undefined, 10)).map(({ key, priority }) => [key.name, priority]));

  test("orders the items of a kind", async () => {
    await write(work, "a", annotated("low"));
    await write(work, "b");
    await write(work, "c", annotated("high"));
    await write(work, "d", annotated("normal"));
    expect(namesOf(await leaseNow(work, sessionId))).toEqual(["c", "b", "d", "a"]);
  });

  test("counts for retries, Enqueue, deadlines and the sweep, and a change of it for the next wish", async () => {
    await write(work, "a", annotated("high"));
    await write(work, "b", annotated("low"));
    for (const item of await leaseNow(work, sessionId))
      await report(work, sessionId, item, { type: "ERROR", error: "no" });
    expect(Object.fromEntries(await priorities())).toEqual({ a: 0, b: 2 });
    await work.queue.enqueue(keyOf("a"), "");
    await work.queue.enqueue(keyOf("b"), "");
    expect(Object.fromEntries(await priorities())).toEqual({ a: -1, b: 1 });
    await leaseNow(work, sessionId);
    await work.sql("UPDATE work_items SET lease_deadline = now() - interval '1 ms'");
    work.queue.start();
    await until(async () => (await work.queue.listWork({}, undefined, 10)).every((item) => item.lease === null));
    expect(Object.fromEntries(await priorities())).toEqual({ a: 0, b: 2 });
    await work.sql("DELETE FROM work_items");
    await work.sql("UPDATE reconciled_kinds SET sweep_due_at = now()");
    const swept = await until(
      async () => {
        const found = await priorities();
        return found.size === 2 && found;
      },
      { timeoutMs: 15_000 },
    );
    expect(Object.fromEntries(swept)).toEqual({ a: 1, b: 2 });
    await write(work, "b", annotated("high"));
    expect((await priorities()).get("b")).toBe(-1);
  });
});
