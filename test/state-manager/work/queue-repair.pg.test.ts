import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLogger } from "../../../src/state-manager/observability/logger.js";
import { QueueRepair } from "../../../src/state-manager/work/queue-repair.js";
import { until } from "../../support/until.js";
import {
  fillQueue,
  first,
  jumpingClock,
  keyOf,
  leaseNow,
  openWork,
  registration,
  report,
  type Work,
  write,
} from "./open-work.js";

const HOUR_MS = 3_600_000;

let work: Work;
beforeEach(async () => {
  work = await openWork();
});
afterEach(() => work.close());

/** Milliseconds until the items are due, by name; negative for overdue. */
async function dueIn(): Promise<Record<string, number>> {
  const rows = await work.sql<{ name: string; in_ms: number }>(
    "SELECT name, (extract(epoch FROM due_at - clock_timestamp()) * 1000)::float8 AS in_ms FROM work_items",
  );
  return Object.fromEntries(rows.map(({ name, in_ms }) => [name, in_ms]));
}

/** Walks the queue as a replica that saw its clock set back by so much. */
async function repair(setBackMs: number): Promise<void> {
  let failure: unknown;
  const repaired = new QueueRepair({
    database: work.store.database,
    logger: createLogger("silent"),
    onStep: () => {},
    onRepaired: () => {},
    onError: (error) => {
      failure = error;
    },
  });
  const pages = async () => (await work.statements()).get("repair-items") ?? 0;
  const before = await pages();
  if (setBackMs === 0) repaired.start();
  else repaired.stepped({ seenAt: new Date(), byMs: -setBackMs });
  await until(async () => (await pages()) > before || failure);
  await repaired.stop();
  expect(failure).toBeUndefined();
}

describe("after the database clock ran two hours ahead and was set back", () => {
  test("what was not quarantined is not afterwards, and what was not pending has no time since when", async () => {
    for (const name of ["new", "settled"]) await write(work, name);
    await work.sql("UPDATE work_items SET due_at = now() + interval '2 hours'");
    await work.sql("UPDATE work_items SET is_pending = false, pending_since = NULL WHERE name = 'settled'");
    await repair(0);
    const kept = "quarantined_at IS NULL AS is_free, pending_since IS NULL AS is_settled, due_at <= now() AS is_due";
    const items = await work.sql(`SELECT name, ${kept} FROM work_items ORDER BY name`);
    expect(items).toEqual([
      { name: "new", is_free: true, is_settled: false, is_due: true },
      { name: "settled", is_free: true, is_settled: true, is_due: true },
    ]);
  });

  test("no due time lies farther ahead than it could when it was written", async () => {
    await work.queue.register(registration({ backoffBaseMs: 1_000, backoffMaxMs: 60_000 }));
    for (const name of ["created", "failed", "quarantined", "polled", "fresh"]) await write(work, name);
    const set = (name: string, values: string) => work.sql(`UPDATE work_items SET ${values} WHERE name = $1`, [name]);
    await set("created", "due_at = now() + interval '2 hours'");
    await set("failed", "due_at = now() + interval '2 hours', is_ready = false, reason = 'RETRY', failures = 3");
    await set(
      "quarantined",
      `due_at = now() + interval '130 minutes', is_ready = false, reason = 'WORKER_DIED', deaths = 2, strikes = 5,
       quarantined_at = now() + interval '2 hours'`,
    );
    await set("polled", "due_at = now() + interval '31 days', is_ready = false, reason = 'REQUEUE_AFTER'");
    await set("fresh", "due_at = now() + interval '50 seconds', is_ready = false, reason = 'RETRY', failures = 9");
    await repair(0);
    const due = await dueIn();
    expect(due.created).toBeLessThanOrEqual(0);
    expect(due.failed).toBeGreaterThan(0);
    expect(due.failed).toBeLessThanOrEqual(4_000);
    expect(due.quarantined).toBeGreaterThan(500_000);
    expect(due.quarantined).toBeLessThanOrEqual(600_000);
    expect(due.polled).toBeLessThanOrEqual(30 * 24 * HOUR_MS);
    // What the back-off allows stays as it was.
    expect(due.fresh).toBeGreaterThan(30_000);
    const [quarantined] = await work.sql("SELECT quarantined_at <= now() AS is_past FROM work_items WHERE deaths = 2");
    expect(quarantined).toEqual({ is_past: true });
  });

  test("what asked to come back in 10 minutes is moved with the clock, once, and says so", async () => {
    await fillQueue(work, 3, { dueAt: "now() + interval '130 minutes'" });
    await work.sql("UPDATE work_items SET reason = 'REQUEUE_AFTER', is_ready = false, is_pending = false");
    await work.sql("UPDATE work_items SET due_at = now() + interval '90 minutes' WHERE name = 'r3'");
    await repair(2 * HOUR_MS);
    // Another replica sees the same step some seconds later.
    await repair(2 * HOUR_MS);
    const { r1, r3 } = await dueIn();
    expect(r1).toBeGreaterThan(500_000);
    expect(r1).toBeLessThanOrEqual(600_000);
    expect(r3).toBeLessThanOrEqual(0);
    const [item] = await work.sql<{ message: string }>("SELECT message FROM work_items WHERE name = 'r1'");
    expect(item?.message).toMatch(
      /^at \d{4}-.*Z: due time moved with the database clock, which was set back by 7200 s$/,
    );
    const { sessionId } = await work.queue.register(registration());
    expect((await leaseNow(work, sessionId)).map(({ resource }) => resource.key.name)).toEqual(["r3"]);
  });

  test("sessions end, tokens grow, leases have a deadline and sweeps come as if the clock had not been ahead", async () => {
    const { sessionId } = await work.queue.register(registration({ passesPerSecond: 5, burst: 5 }));
    await write(work, "a");
    await leaseNow(work, sessionId);
    const ahead = "interval '2 hours'";
    await work.sql(`UPDATE sessions SET expires_at = expires_at + ${ahead}, tokens_at = tokens_at + ${ahead},
      registered_at = registered_at + ${ahead}`);
    await work.sql(
      `UPDATE work_items SET leased_at = leased_at + ${ahead}, lease_deadline = lease_deadline + ${ahead}`,
    );
    await work.sql(`UPDATE reconciled_kinds SET sweep_due_at = sweep_due_at + ${ahead}`);
    await work.sql(`INSERT INTO collections (owner_uid, resource_group, kind, namespace, name, mode, due_at)
      VALUES (gen_random_uuid(), 'g', 'k', 'n', 'o', 'FOREGROUND', now() + ${ahead})`);
    await repair(0);
    const [times] = await work.sql<Record<string, number>>(`
      SELECT extract(epoch FROM s.expires_at - now())::float8 AS session, extract(epoch FROM s.tokens_at - now())::float8 AS tokens,
        extract(epoch FROM w.leased_at - now())::float8 AS leased, extract(epoch FROM w.lease_deadline - w.leased_at)::float8 AS pass,
        extract(epoch FROM k.sweep_due_at - now())::float8 AS sweep, extract(epoch FROM c.due_at - now())::float8 AS collection
      FROM sessions s, work_items w, reconciled_kinds k, collections c`);
    expect(times?.session).toBeLessThanOrEqual(15);
    expect(times?.session).toBeGreaterThan(10);
    for (const past of ["tokens", "leased", "collection"]) expect(times?.[past]).toBeLessThanOrEqual(0);
    expect(times?.pass).toBeCloseTo(300);
    expect(times?.sweep).toBeLessThanOrEqual(600);
  });

  test("the step is noticed when it happens", async () => {
    const clock = jumpingClock();
    await work.queue.register(registration({ leaseDurationMs: 1_000 }));
    await fillQueue(work, 1, { dueAt: "now() + interval '130 minutes'" });
    await work.sql("UPDATE work_items SET reason = 'REQUEUE_AFTER', is_ready = false, is_pending = false");
    work.queue.start();
    await until(async () => ((await work.statements()).get("pulse") ?? 0) > 0);
    await until(async () => ((await work.statements()).get("repair-items") ?? 0) > 1); // the walk of the start is over
    expect(work.queue.clockStep).toBeUndefined();
    // The monotonic clock goes on by two hours while the database clock does not: that was set back by as much.
    clock.jump(2 * HOUR_MS);
    await until(async () => ((await dueIn()).r1 ?? HOUR_MS) < 600_000);
    expect(work.queue.clockStep?.byMs).toBeLessThan(-2 * HOUR_MS + 5_000);
    expect(work.queue.clockStep?.byMs).toBeGreaterThan(-2 * HOUR_MS - 5_000);
  });

  test("a step while no replica ran is noticed at the next start, by the newest event", async () => {
    await write(work, "a");
    await work.sql("UPDATE events SET committed_at = committed_at + interval '2 hours'");
    await work.sql(
      `UPDATE work_items SET reason = 'REQUEUE_AFTER', is_ready = false, due_at = now() + interval '130 minutes'`,
    );
    work.queue.start();
    await until(async () => ((await dueIn()).a ?? HOUR_MS) < 660_000);
    expect(work.queue.clockStep?.byMs).toBeLessThan(-HOUR_MS);
  });
});

describe("items that nobody will lease", () => {
  test("left DUE by older servers behind settled resources are dropped where no reconciler ever registered", async () => {
    await fillQueue(work, 4);
    await work.sql("UPDATE resources SET observed_generation = 1 WHERE name <> 'r2'");
    await work.sql("UPDATE resources SET deletion_requested_at = now() WHERE name = 'r3'");
    await work.sql("UPDATE work_items SET reason = 'METADATA_CHANGED', is_pending = false WHERE name <> 'r2'");
    await work.sql("UPDATE work_items SET reason = 'STATUS_CHANGED' WHERE name = 'r4'");
    await repair(0);
    // One is pending, one is to go: both wait for whoever finishes them.
    expect(Object.keys(await dueIn()).sort()).toEqual(["r2", "r3"]);
  });

  test("stay where one did", async () => {
    const { sessionId } = await work.queue.register(registration());
    await write(work, "a");
    await report(work, sessionId, first(await leaseNow(work, sessionId)));
    await work.queue.deregister(sessionId);
    await work.store.sink.submit({
      type: "update-status",
      key: keyOf("a"),
      statusJson: '"touched"',
      observedGeneration: undefined,
      metadata: undefined,
      expected: {},
    });
    await repair(0);
    expect(Object.keys(await dueIn())).toEqual(["a"]);
  });
});
