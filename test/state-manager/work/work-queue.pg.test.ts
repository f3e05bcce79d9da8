import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../support/until.js";
import {
  first,
  keyOf,
  leaseNow,
  openWork,
  registration,
  remove,
  report,
  reportOf,
  type Work,
  whileLocked,
  write,
} from "./open-work.js";

let work: Work;
let sessionId: string;
beforeAll(async () => {
  work = await openWork();
});
afterAll(() => work.close());
beforeEach(async () => {
  await work.sql("TRUNCATE work_items, resources, sessions CASCADE");
  ({ sessionId } = await work.queue.register(registration()));
});

const items = () => work.queue.listWork({}, undefined, 1000);

describe("lease and report", () => {
  test("a created resource is leased once, and settled by SUCCESS", async () => {
    await write(work, "a");
    const item = first(await leaseNow(work, sessionId));
    expect(item).toMatchObject({ attempt: 1, reason: "CREATED", resource: { key: keyOf("a"), generation: 1n } });
    expect(await leaseNow(work, sessionId)).toEqual([]);
    expect(await report(work, sessionId, item)).toBe("ACCEPTED");
    expect(await items()).toEqual([]);
    expect(await work.store.reader.get(keyOf("a"))).toMatchObject({ observedGeneration: 1n });
  });

  test("ERROR retries with a doubled back-off, visible with its text; SUCCESS resets it", async () => {
    await write(work, "a");
    for (const attempt of [1, 2, 3]) {
      const item = first(await work.queue.lease(sessionId, 1, 10_000, new AbortController().signal));
      expect(item.attempt).toBe(attempt);
      const before = Date.now();
      await report(work, sessionId, item, { type: "ERROR", error: `no disk ${attempt}` });
      const [waiting] = await items();
      expect(waiting).toMatchObject({ failures: attempt, lastError: `no disk ${attempt}`, reason: "RETRY" });
      expect(waiting?.dueAt?.getTime()).toBeGreaterThanOrEqual(before + 5 * 2 ** (attempt - 1) * 0.8 - 2);
    }
    const fourth = first(await work.queue.lease(sessionId, 1, 10_000, new AbortController().signal));
    expect(fourth).toMatchObject({ attempt: 4, message: "no disk 3" });
    await report(work, sessionId, fourth);
    await work.queue.enqueue(keyOf("a"), "again");
    expect(first(await leaseNow(work, sessionId))).toMatchObject({ attempt: 1, reason: "ENQUEUED", message: "again" });
  });

  test("REQUEUE_AFTER comes back then, or earlier when something changes", async () => {
    await write(work, "a");
    const item = first(await leaseNow(work, sessionId));
    await report(work, sessionId, item, { type: "REQUEUE_AFTER", afterMs: 3_600_000 });
    expect(await leaseNow(work, sessionId)).toEqual([]);
    await write(work, "a", { spec: "1" });
    expect(first(await leaseNow(work, sessionId))).toMatchObject({ reason: "SPEC_CHANGED" });
  });

  test("RELEASE gives the resource to another session at once and counts no attempt", async () => {
    const other = await work.queue.register(registration({ instanceId: "two" }));
    await write(work, "a");
    await report(work, sessionId, first(await leaseNow(work, sessionId)), { type: "RELEASE" });
    expect(first(await leaseNow(work, other.sessionId))).toMatchObject({ attempt: 1, reason: "LEASE_RETURNED" });
  });

  test("I8: a report with another token, of another session, or sent twice is stale and changes nothing", async () => {
    const other = await work.queue.register(registration({ instanceId: "two" }));
    await write(work, "a");
    const item = first(await leaseNow(work, sessionId));
    expect(await report(work, other.sessionId, item)).toBe("STALE");
    expect(await report(work, sessionId, { ...item, leaseToken: "made up" })).toBe("STALE");
    expect(await report(work, "no session", item)).toBe("STALE");
    expect(await work.store.reader.get(keyOf("a"))).toMatchObject({ observedGeneration: 0n });
    expect(await report(work, sessionId, item)).toBe("ACCEPTED");
    expect(await report(work, sessionId, item)).toBe("STALE");
  });

  test("a wrong report is INVALID on its own, keeps its lease, and the others are stored", async () => {
    await write(work, "a");
    await write(work, "b");
    const leased = await leaseNow(work, sessionId);
    const results = await work.queue.report(sessionId, [
      { ...reportOf(first(leased)), observedGeneration: 9n },
      { invalid: "status must be JSON" },
      reportOf(first(leased.slice(1))),
    ]);
    expect(results.map(({ outcome }) => outcome)).toEqual(["INVALID", "INVALID", "ACCEPTED"]);
    expect(results[0]?.message).toContain("observed generation 9");
    expect(await items()).toMatchObject([{ lease: { sessionId } }]);
  });

  test("a waiting call is answered when work comes due, and when the back-off of a failed pass is over", async () => {
    const signal = new AbortController().signal;
    const waiting = work.queue.lease(sessionId, 10, 20_000, signal);
    await write(work, "a");
    const item = first(await waiting);
    const again = work.queue.lease(sessionId, 10, 20_000, signal);
    await report(work, sessionId, item, { type: "ERROR", error: "x" });
    expect(first(await again)).toMatchObject({ attempt: 2 });
  });

  test("work that a transaction held and left unchanged is leased when that is over, not at the next pulse", async () => {
    await write(work, "a");
    const looks = async () => (await work.statements()).get("mark-leases") ?? 0;
    const before = await looks();
    let waiting: Promise<unknown> = Promise.resolve();
    await whileLocked(work, "SELECT 1 FROM work_items", async () => {
      waiting = work.queue.lease(sessionId, 1, 20_000, new AbortController().signal);
      // The second is sent when the first has tried to lease.
      await until(async () => (await looks()) > before + 1);
    });
    // The queue is not started: no pulse, and nobody rings.
    expect(await waiting).toHaveLength(1);
  });

  test("a look at an empty queue is one statement", async () => {
    const sent = await work.statements();
    expect(await leaseNow(work, sessionId)).toEqual([]);
    const added = [...(await work.statements())].filter(([name, count]) => count !== (sent.get(name) ?? 0));
    expect(added.map(([name]) => name)).toEqual(["peek-work"]);
  });

  test("a call that waits at another replica hears the doorbell", async () => {
    const replica = await work.addReplica();
    const waiting = replica.queue.lease(sessionId, 10, 20_000, new AbortController().signal);
    await until(async () => (await replica.statements()).has("peek-work"));
    await write(work, "a");
    expect(await waiting).toHaveLength(1);
  });

  test("a call of several kinds is served by the kind that has work", async () => {
    const gadget = { resourceGroup: "apps", kind: "Gadget" };
    const kinds = [gadget, { resourceGroup: "apps", kind: "Widget" }];
    const both = await work.queue.register(registration({ instanceId: "both", kinds }));
    expect(await leaseNow(work, both.sessionId)).toEqual([]);
    const waiting = work.queue.lease(both.sessionId, 10, 20_000, new AbortController().signal);
    await write(work, "a");
    expect(await waiting).toHaveLength(1);
  });

  test("fresh changes go before retries, and those before the sweep", async () => {
    for (const name of ["sweep", "retry", "change"]) await write(work, name);
    await work.sql(
      `UPDATE work_items SET priority = array_position('{change,retry,sweep}'::text[], name) - 1,
        due_at = now() - array_position('{change,retry,sweep}'::text[], name) * interval '1 minute'`,
    );
    const names: string[] = [];
    for (let i = 0; i < 3; i++) names.push(first(await leaseNow(work, sessionId, 1)).resource.key.name);
    expect(names).toEqual(["change", "retry", "sweep"]);
  });

  test("a session with shards leases only those", async () => {
    const sharded = await work.queue.register(registration({ instanceId: "two", shardIds: ["blue"] }));
    await write(work, "a", { shardId: "red" });
    await write(work, "b", { shardId: "blue" });
    const names = (await leaseNow(work, sharded.sessionId)).map((item) => item.resource.key.name);
    expect(names).toEqual(["b"]);
  });

  test("holds no more leases than its concurrency, whatever calls it makes; a report makes room", async () => {
    const narrow = await work.queue.register(registration({ instanceId: "narrow", concurrency: 3 }));
    const replica = await work.addReplica();
    for (let i = 0; i < 10; i++) await write(work, `r${i}`);
    const calls = [work, replica, work, replica].map((at) => leaseNow(at, narrow.sessionId, 2));
    const leased = (await Promise.all(calls)).flat();
    expect(leased.length).toBe(3);
    const waiting = work.queue.lease(narrow.sessionId, 10, 20_000, new AbortController().signal);
    await report(work, narrow.sessionId, first(leased));
    expect(await waiting).toHaveLength(1);
  });

  test("leases that arrive after the client is gone go back at once, with no attempt counted", async () => {
    for (let i = 0; i < 20; i++) {
      await write(work, "a", { spec: String(i) });
      const client = new AbortController();
      const gone = work.queue.lease(sessionId, 1, 20_000, client.signal).catch(() => "gone");
      client.abort();
      expect(await gone).toBe("gone");
      const item = first(await work.queue.lease(sessionId, 1, 10_000, new AbortController().signal));
      expect(item).toMatchObject({ attempt: 1, reason: i === 0 ? "CREATED" : "SPEC_CHANGED" });
      await report(work, sessionId, item);
    }
  });

  test("refuses what is out of range, naming the field", async () => {
    const { signal } = new AbortController();
    await expect(work.queue.lease(sessionId, 0, 0, signal)).rejects.toMatchObject({ field: "max_items" });
    await expect(work.queue.lease(sessionId, 1, 60_001, signal)).rejects.toMatchObject({ field: "wait" });
    await expect(work.queue.lease("x", 1, 0, signal)).rejects.toMatchObject({ reason: "SESSION_NOT_FOUND" });
    await expect(work.queue.enqueue(keyOf("none"), "")).rejects.toMatchObject({ reason: "NOT_FOUND" });
    await expect(work.queue.enqueue(keyOf("none"), "x".repeat(1025))).rejects.toMatchObject({ field: "message" });
    await expect(work.queue.report(sessionId, [])).rejects.toMatchObject({ field: "reports" });
  });
});

describe("changes during a lease (I7)", () => {
  test("any number of changes cause exactly one more pass", async () => {
    await write(work, "a");
    const item = first(await leaseNow(work, sessionId));
    for (let i = 1; i <= 5; i++) await write(work, "a", { spec: String(i) });
    await work.queue.enqueue(keyOf("a"), "and again");
    expect(await leaseNow(work, sessionId)).toEqual([]);
    expect(await report(work, sessionId, item)).toBe("ACCEPTED");
    const second = first(await leaseNow(work, sessionId));
    expect(second.resource.generation).toBe(6n);
    await report(work, sessionId, second);
    expect(await items()).toEqual([]);
  });

  test("the holder's own report, status and labels included, never causes a pass by itself", async () => {
    await write(work, "a");
    const item = first(await leaseNow(work, sessionId));
    await work.queue.report(sessionId, [
      { ...reportOf(item), statusJson: '{"ok":true}', labels: new Map([["tier", "web"]]), addFinalizers: ["x"] },
    ]);
    expect(await items()).toEqual([]);
  });

  test("deletion during a lease: the item is gone once the pass ends", async () => {
    await write(work, "a");
    const item = first(await leaseNow(work, sessionId));
    await remove(work, "a");
    expect(await items()).toMatchObject([{ resourceId: null, dueAt: null }]);
    await report(work, sessionId, item);
    expect(await items()).toEqual([]);
  });

  test("I8: deletion and re-creation during a lease: the lease blocks the successor, the report does not reach it", async () => {
    await write(work, "a");
    const item = first(await leaseNow(work, sessionId));
    await remove(work, "a");
    const successor = await write(work, "a", { spec: '"new"' });
    expect(await leaseNow(work, sessionId)).toEqual([]);
    await work.queue.report(sessionId, [{ ...reportOf(item), statusJson: '"old"' }]);
    expect(await work.store.reader.get(keyOf("a"))).toMatchObject({ statusJson: null, observedGeneration: 0n });
    const next = first(await leaseNow(work, sessionId));
    expect(next).toMatchObject({ attempt: 1, reason: "CREATED", resource: { id: successor.id } });
  });

  test("an item whose resource is not there is dropped instead of handed out", async () => {
    await write(work, "a");
    await work.sql("DELETE FROM resources");
    expect(await leaseNow(work, sessionId)).toEqual([]);
    expect(await items()).toEqual([]);
  });

  test("a REST status that catches up settles a waiting item and leaves a leased one to its report", async () => {
    const catchUp = (observedGeneration: bigint) =>
      work.store.sink.submit({
        type: "update-status",
        key: keyOf("a"),
        statusJson: '"done"',
        observedGeneration,
        metadata: undefined,
        expected: {},
      });
    await write(work, "a");
    await catchUp(1n);
    expect(await items()).toEqual([]);
    await write(work, "a", { spec: "2" });
    const item = first(await leaseNow(work, sessionId));
    await catchUp(2n);
    expect(await items()).toMatchObject([{ isPending: false, dueAt: null, lease: { sessionId } }]);
    expect(await report(work, sessionId, item)).toBe("ACCEPTED");
    expect(await items()).toEqual([]);
  });
});

describe("the reconciler's finalizer", () => {
  test("is on the resource before its first lease is handed out, and goes with SUCCESS over the deleting resource", async () => {
    const { sessionId: holder } = await work.queue.register(registration({ finalizer: "widgets/cleanup" }));
    await write(work, "a");
    const item = first(await leaseNow(work, holder));
    expect(item.resource.finalizers).toEqual(["widgets/cleanup"]);
    expect(await work.store.reader.get(keyOf("a"))).toMatchObject({ finalizers: ["widgets/cleanup"] });
    await report(work, holder, item);
    expect(await items()).toEqual([]);
    await remove(work, "a");
    const deleting = first(await leaseNow(work, holder));
    expect(deleting).toMatchObject({ reason: "DELETION_REQUESTED", resource: { finalizers: ["widgets/cleanup"] } });
    await report(work, holder, deleting);
    expect(await work.store.reader.get(keyOf("a"))).toBeUndefined();
    expect(await items()).toEqual([]);
  });

  test("a resource that cannot take it fails its pass with back-off instead of blocking the others", async () => {
    const many = Array.from({ length: 64 }, (_, i) => `held-${i}`);
    const { sessionId: holder } = await work.queue.register(
      registration({ finalizer: "widgets/cleanup", backoffBaseMs: 60_000 }),
    );
    await write(work, "full", { finalizers: many });
    await write(work, "a");
    const names = (await leaseNow(work, holder)).map((item) => item.resource.key.name);
    expect(names).toEqual(["a"]);
    const full = (await items()).find((item) => item.key.name === "full");
    expect(full).toMatchObject({ failures: 1, lease: null, reason: "RETRY" });
    expect(full?.lastError).toContain("could not add finalizer widgets/cleanup");
  });
});

test("stop ends waiting calls with SHUTTING_DOWN and returns no leases", async () => {
  const replica = await work.addReplica();
  await write(work, "a");
  await leaseNow(replica, sessionId);
  const waiting = replica.queue.lease(sessionId, 1, 20_000, new AbortController().signal);
  const refused = expect(waiting).rejects.toMatchObject({ code: "UNAVAILABLE", reason: "SHUTTING_DOWN" });
  await replica.queue.stop();
  await replica.queue.stop();
  await refused;
  await expect(leaseNow(replica, sessionId)).rejects.toMatchObject({ reason: "SHUTTING_DOWN" });
  expect(await items()).toMatchObject([{ lease: { sessionId } }]);
});
