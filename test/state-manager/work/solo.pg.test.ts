import { afterEach, beforeEach, expect, test } from "vitest";
import { LeaseQuery } from "../../../src/state-manager/work/lease-query.js";
import { Turns } from "../../../src/state-manager/work/turns.js";
import type { LeasedItem } from "../../../src/state-manager/work/work-service.js";
import { until } from "../../support/until.js";
import { fillQueue, first, KIND, leaseNow, openWork, registration, report, type Work, write } from "./open-work.js";

let work: Work;
beforeEach(async () => {
  work = await openWork();
});
afterEach(() => work.close());

const enter = async (instanceId: string) => (await work.queue.register(registration({ instanceId }))).sessionId;
const namesOf = (items: readonly LeasedItem[]) => items.map((item) => item.resource.key.name).sort();
/** What the end of a worker does to what it held. */
const strike = (names: readonly string[], sinceS = 0) =>
  work.sql("UPDATE work_items SET deaths = 2, due_at = now() - $2 * interval '1 s' WHERE name = ANY ($1)", [
    names,
    sinceS,
  ]);

test("a struck item is leased alone, and nothing else while it is held", async () => {
  const a = await enter("a");
  await fillQueue(work, 3);
  await strike(["r2"]);
  const items = await leaseNow(work, a);
  expect(items.map((item) => [item.resource.key.name, item.isSolo])).toEqual([["r2", true]]);
  expect(await leaseNow(work, a)).toEqual([]);
  await report(work, a, first(items));
  const others = await leaseNow(work, a);
  expect(namesOf(others)).toEqual(["r1", "r3"]);
  expect(others.map((item) => item.isSolo)).toEqual([false, false]);
});

test("a session that holds a lease gets others only; one that holds nothing gets the struck one", async () => {
  const [a, b] = [await enter("a"), await enter("b")];
  await fillQueue(work, 1);
  const held = await leaseNow(work, a);
  await fillQueue(work, 2, { from: 2 });
  await strike(["r2"]);
  expect(namesOf(await leaseNow(work, a))).toEqual(["r3"]);
  expect(await leaseNow(work, a)).toEqual([]);
  expect(namesOf(await leaseNow(work, b))).toEqual(["r2"]);
  expect(namesOf(held)).toEqual(["r1"]);
});

test("a struck item waits no longer than until the oldest session has drained; the others go on", async () => {
  const [a, b] = [await enter("a"), await enter("b")];
  await fillQueue(work, 2);
  const held = await leaseNow(work, a, 1);
  await leaseNow(work, b, 1);
  await fillQueue(work, 5, { from: 3 });
  await strike(["r3"], 1);
  expect(await leaseNow(work, a, 1)).toHaveLength(1);
  await strike(["r3"], 3);
  expect(await leaseNow(work, a, 1)).toEqual([]);
  expect(await leaseNow(work, b, 1)).toHaveLength(1);
  const waiting = work.queue.lease(a, 5, 20_000, new AbortController().signal);
  await report(work, a, first(held));
  const rest = await work.sql<{ name: string; token: string }>(
    "SELECT name, lease_token AS token FROM work_items WHERE lease_session_id = $1",
    [a],
  );
  await work.sql("UPDATE work_items SET lease_deadline = now() WHERE lease_session_id = $1", [a]);
  expect(rest).toHaveLength(1);
  work.queue.start();
  expect(namesOf(await waiting)).toEqual(["r3"]);
});

test("when the oldest session does not take the item's shard, the next one drains", async () => {
  const { sessionId: blue } = await work.queue.register(registration({ instanceId: "blue", shardIds: ["blue"] }));
  const b = await enter("b");
  await fillQueue(work, 3);
  await leaseNow(work, b, 1);
  await strike(["r1"], 3);
  expect(await leaseNow(work, blue)).toEqual([]);
  expect(await leaseNow(work, b, 1)).toEqual([]);
});

test("many struck items do not hide the others from the only session: they take turns", async () => {
  const a = await enter("a");
  await fillQueue(work, 8);
  await strike(["r5", "r6", "r7", "r8"], 3);
  const order: boolean[] = [];
  for (let i = 0; i < 8; i++) {
    const item = first(await leaseNow(work, a, 1));
    order.push(item.isSolo);
    await report(work, a, item);
  }
  expect(order).toEqual([true, false, true, false, true, false, true, false]);
});

test("a waiting call gets a struck item when its back-off ends, without a pulse", async () => {
  const a = await enter("a");
  await write(work, "x");
  await work.sql("UPDATE work_items SET deaths = 2, due_at = now() + interval '1 second'");
  const waiting = work.queue.lease(a, 5, 20_000, new AbortController().signal);
  await until(async () => (await work.statements()).get("peek-work"));
  expect((await waiting).map((item) => item.isSolo)).toEqual([true]);
  expect((await work.statements()).get("peek-work")).toBeLessThanOrEqual(3);
});

test("a look that expects work leases at once, but a struck item alone all the same", async () => {
  const { name, instanceId, ...over } = registration({ instanceId: "a" });
  const sessionId = await enter("a");
  const session = { ...over, name, instanceId, sessionId };
  const query = new LeaseQuery(work.store.database);
  const turns = new Turns();
  const leased = async () => {
    const look = await query.look({ session, kind: KIND, maxItems: 1, turns, isExpected: true });
    return look.type === "leased" ? look.items.map(({ key, isSolo }) => [key.name, isSolo]) : look.type;
  };
  const sent = async () => (await work.statements()).get("mark-leases");
  await fillQueue(work, 4);
  expect(await leased()).toEqual([["r4", false]]);
  expect(await sent()).toBe(1);
  await work.sql("DELETE FROM work_items WHERE name = 'r4'");
  await strike(["r2"]);
  expect(await leased()).toEqual([["r2", true]]);
  expect(await leased()).toBe("full");
});
