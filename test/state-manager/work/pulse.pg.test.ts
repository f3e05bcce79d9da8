import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../support/until.js";
import { first, keyOf, leaseNow, openWork, registration, remove, report, type Work, write } from "./open-work.js";

let work: Work;
beforeEach(async () => {
  work = await openWork();
});
afterEach(() => work.close());

const items = () => work.queue.listWork({}, undefined, 1000);
const neverAborted = () => new AbortController().signal;

describe("deadlines (I11)", () => {
  test("a pass that takes too long loses its lease in time, counts as a failure and says so", async () => {
    work.queue.start();
    const { sessionId } = await work.queue.register(registration({ passDeadlineMs: 300, backoffBaseMs: 50 }));
    await write(work, "a");
    const item = first(await leaseNow(work, sessionId));
    const leasedAt = performance.now();
    const again = first(await work.queue.lease(sessionId, 1, 20_000, neverAborted()));
    expect(performance.now() - leasedAt).toBeLessThan(2_500);
    expect(again).toMatchObject({ attempt: 2, reason: "DEADLINE_EXCEEDED" });
    expect(again.message).toBe("the pass took longer than its deadline of 300 ms");
    expect(await report(work, sessionId, item)).toBe("STALE");
  });

  test("a report after the deadline is stale even before the pulse tidied up", async () => {
    const { sessionId } = await work.queue.register(registration());
    await write(work, "a");
    const item = first(await leaseNow(work, sessionId));
    await work.sql("UPDATE work_items SET lease_deadline = now() - interval '1 ms'");
    expect(await report(work, sessionId, item)).toBe("STALE");
    expect(await leaseNow(work, sessionId)).toEqual([]);
  });

  test("the back-off of deadlines grows, a change during the lease is due at once, a removed resource is gone", async () => {
    const { sessionId } = await work.queue.register(registration({ backoffBaseMs: 60_000 }));
    for (const name of ["slow", "changed", "removed", "successor"]) await write(work, name);
    await work.sql("UPDATE work_items SET failures = 3");
    await leaseNow(work, sessionId);
    await write(work, "changed", { spec: "1" });
    await remove(work, "removed");
    await remove(work, "successor");
    await write(work, "successor", { spec: "1" });
    await work.sql("UPDATE work_items SET lease_deadline = now() - interval '1 ms'");
    work.queue.start();
    await until(async () => (await items()).every((item) => item.lease === null));
    const left = new Map((await items()).map((item) => [item.key.name, item]));
    expect([...left.keys()]).toEqual(["changed", "slow", "successor"]);
    const inMs = (left.get("slow")?.dueAt?.getTime() ?? 0) - Date.now();
    expect(inMs).toBeGreaterThan(8 * 60_000 * 0.75);
    expect(inMs).toBeLessThanOrEqual(8 * 60_000);
    expect(left.get("slow")).toMatchObject({ failures: 4, reason: "DEADLINE_EXCEEDED" });
    expect(left.get("changed")).toMatchObject({ failures: 1, reason: "SPEC_CHANGED" });
    expect(left.get("successor")).toMatchObject({ failures: 0, lastError: "", reason: "CREATED" });
    const due = (await leaseNow(work, sessionId)).map((item) => item.resource.key.name);
    expect(due.sort()).toEqual(["changed", "successor"]);
  });
});

describe("session expiry", () => {
  test("a worker that stops renewing loses its leases to another; its reports are stale", async () => {
    work.queue.start();
    const dead = await work.queue.register(registration({ instanceId: "dead", leaseDurationMs: 1_000 }));
    const live = await work.queue.register(registration({ instanceId: "live" }));
    await write(work, "a");
    const item = first(await leaseNow(work, dead.sessionId));
    const taken = first(await work.queue.lease(live.sessionId, 1, 20_000, neverAborted()));
    expect(taken).toMatchObject({ attempt: 1, reason: "WORKER_DIED" });
    expect(await report(work, dead.sessionId, item)).toBe("STALE");
    expect(await work.queue.listSessions()).toHaveLength(1);
  });

  test("expiry is void on the database clock before any replica tidied up", async () => {
    const { sessionId } = await work.queue.register(registration());
    await write(work, "a");
    const item = first(await leaseNow(work, sessionId));
    await work.sql("UPDATE sessions SET expires_at = now() - interval '1 ms'");
    expect(await report(work, sessionId, item)).toBe("STALE");
    expect(await work.queue.listSessions()).toEqual([]);
  });
});

describe("resync", () => {
  test("repairs a missing item and gives every resource a pass within the period, after all other work", async () => {
    const { sessionId } = await work.queue.register(registration({ resyncPeriodMs: 1_000, concurrency: 1_000 }));
    for (const name of ["pending", "settled", "waiting"]) await write(work, name);
    for (const item of await leaseNow(work, sessionId)) {
      if (item.resource.key.name === "settled") await report(work, sessionId, item);
      if (item.resource.key.name === "waiting") {
        await report(work, sessionId, item, { type: "REQUEUE_AFTER", afterMs: 3_600_000 });
      }
    }
    await work.sql("DELETE FROM work_items WHERE name = 'pending'");
    work.queue.start();
    await until(async () => (await items()).length === 3);
    const swept = new Map((await items()).map(({ key, ...item }) => [key.name, item]));
    expect(swept.get("pending")).toMatchObject({ reason: "RESYNC", priority: 2, isPending: true });
    expect(swept.get("settled")).toMatchObject({ reason: "RESYNC", priority: 2, isPending: false });
    expect(swept.get("waiting")).toMatchObject({ reason: "REQUEUE_AFTER" });
  });

  test("walks a kind of more than one page to its end, by one replica at a time, once a period", async () => {
    await work.queue.register(registration({ resyncPeriodMs: 600_000 }));
    await work.sql(`INSERT INTO resources (id, resource_group, kind, namespace, name, uid, shard_id, log_id, labels, annotations,
        finalizers, generation, observed_generation, revision, write_count, bytes, created_at, updated_at)
      SELECT i, 'apps', 'Widget', 'default', 'r' || i, gen_random_uuid(), 'main', 0, '{}', '{}', '[]', 1, 1, i, 1, 2, now(), now()
      FROM generate_series(1, 1200) i`);
    await work.sql("UPDATE reconciled_kinds SET sweep_due_at = now()");
    const replica = await work.addReplica();
    work.queue.start();
    replica.queue.start();
    const kind = await until(async () => {
      const [swept] = await work.sql<{ sweep_cursor: string; in_s: number }>(
        "SELECT sweep_cursor, extract(epoch FROM sweep_due_at - now())::float8 AS in_s FROM reconciled_kinds",
      );
      return swept !== undefined && swept.in_s > 0 && swept;
    });
    expect(kind).toMatchObject({ sweep_cursor: "0" });
    expect(kind.in_s).toBeGreaterThan(590);
    expect(await work.sql("SELECT count(*)::int AS n FROM work_items")).toEqual([{ n: 1200 }]);
  });

  test("leaves kinds alone whose reconciler is away", async () => {
    const { sessionId } = await work.queue.register(registration());
    await write(work, "a");
    await report(work, sessionId, first(await leaseNow(work, sessionId)));
    await work.queue.deregister(sessionId);
    await work.sql("UPDATE reconciled_kinds SET sweep_due_at = now()");
    work.queue.start();
    await until(async () => (await work.statements()).get("pulse"));
    expect((await work.statements()).has("sweep-page")).toBe(false);
  });
});

test("a lost ring costs no more than a pulse", { timeout: 20_000 }, async () => {
  const { sessionId } = await work.queue.register(registration());
  work.queue.start();
  await write(work, "a");
  const item = first(await leaseNow(work, sessionId));
  await report(work, sessionId, item);
  const waiting = work.queue.lease(sessionId, 1, 20_000, neverAborted());
  await until(async () => ((await work.statements()).get("peek-work") ?? 0) >= 2);
  const writtenAt = performance.now();
  await work.sql(`INSERT INTO work_items (resource_group, kind, namespace, name, resource_id, shard_id, wanted, due_at, priority,
    reason, is_pending) SELECT resource_group, kind, namespace, name, id, shard_id, 1, now(), 0, 'ENQUEUED', false FROM resources`);
  expect(first(await waiting).resource.key).toEqual(keyOf("a"));
  expect(performance.now() - writtenAt).toBeLessThan(6_500);
});

test("idle, with waiting calls and an attached worker, a replica sends one statement per 5 s", {
  timeout: 30_000,
}, async () => {
  const { sessionId } = await work.queue.register(registration({ leaseDurationMs: 60_000 }));
  work.queue.start();
  const clients = Array.from({ length: 20 }, () => new AbortController());
  const calls = clients.map(({ signal }) => work.queue.lease(sessionId, 1, 60_000, signal).catch(() => "aborted"));
  const stream = work.queue.attach(sessionId, neverAborted());
  await stream.next();
  const sent = async () => [...(await work.statements()).values()].reduce((sum, count) => sum + count, 0);
  const beats = async () => (await work.statements()).get("pulse") ?? 0;
  const beat = await until(beats);
  await until(async () => (await beats()) > beat, { timeoutMs: 8_000 });
  const before = await sent();
  const from = performance.now();
  await until(async () => (await beats()) > beat + 2, { timeoutMs: 15_000 });
  expect((await sent()) - before).toBe(2);
  expect(performance.now() - from).toBeGreaterThan(9_500);
  for (const client of clients) client.abort();
  expect(await Promise.all(calls)).toEqual(calls.map(() => "aborted"));
  await stream.return(undefined);
});
