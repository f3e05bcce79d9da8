import { afterAll, beforeAll, expect, test } from "vitest";
import type { PassResult } from "../../../src/resource/work.js";
import {
  first,
  keyOf,
  leaseNow,
  openWork,
  type Replica,
  registration,
  reportOf,
  type Work,
  write,
} from "./open-work.js";

const ROUNDS = 500;
const NAMES = ["a", "b", "c", "d", "e"];

let work: Work;
beforeAll(async () => {
  work = await openWork();
});
afterAll(() => work.close());

test("a lease never carries an object older than what this reconciler last reported", {
  timeout: 120_000,
}, async () => {
  const replicas = [work, await work.addReplica()];
  const lastReported = new Map<string, { readonly number: number; readonly writeCount: bigint }>();
  const violations: string[] = [];
  let passes = 0;

  /** Leases at one replica and reports at the other, so that nothing a replica remembers may help. */
  const runWorker = async (index: number) => {
    const [leaseAt, reportAt] = index % 2 === 0 ? replicas : [...replicas].reverse();
    if (leaseAt === undefined || reportAt === undefined) throw new Error("there are two replicas");
    const options = { instanceId: `w${index}`, concurrency: 2, leaseDurationMs: 600_000 };
    const { sessionId } = await leaseAt.queue.register(registration(options));
    while (passes < ROUNDS) {
      const items = await leaseAt.queue.lease(sessionId, 2, 200, new AbortController().signal);
      for (const { resource } of items) {
        const { name } = resource.key;
        const last = lastReported.get(name);
        const number = ++passes;
        if (last !== undefined && resource.statusJson !== String(last.number))
          violations.push(`${name}: reported ${last.number}, leased with ${resource.statusJson}`);
        if (last !== undefined && resource.writeCount <= last.writeCount)
          violations.push(
            `${name}: write ${last.writeCount} was reported on, leased again with ${resource.writeCount}`,
          );
        // Before it is sent: once it is stored, the next holder may be faster than its answer.
        lastReported.set(name, { number, writeCount: resource.writeCount });
      }
      const reports = items.map((item) => {
        const statusJson = String(lastReported.get(item.resource.key.name)?.number);
        return { ...reportOf(item, pickResult()), statusJson };
      });
      if (reports.length === 0) continue;
      for (const { outcome } of await reportAt.queue.report(sessionId, reports)) expect(outcome).toBe("ACCEPTED");
    }
  };

  const disturb = async (at: Replica) => {
    while (passes < ROUNDS) {
      const name = NAMES[Math.floor(Math.random() * NAMES.length)] ?? "";
      if (Math.random() < 0.5) await at.queue.enqueue(keyOf(name), "");
      else await write(at, name, { spec: String(Math.random()) });
    }
  };

  for (const name of NAMES) await write(work, name);
  await Promise.all([0, 1, 2, 3].map(runWorker).concat(replicas.map(disturb)));
  expect(violations).toEqual([]);
  expect(passes).toBeGreaterThanOrEqual(ROUNDS);
});

test("a lost Lease reply costs seconds, not a deadline", { timeout: 60_000 }, async () => {
  await work.sql("TRUNCATE work_items, resources, sessions, reconciled_kinds CASCADE");
  const { sessionId } = await work.queue.register(registration({ leaseDurationMs: 600_000 }));
  await write(work, "a");
  const lost = first(await leaseNow(work, sessionId));
  const lostAt = performance.now();
  // The worker knows nothing of that lease: it asks again, and its renewals do not list it.
  const again = work.queue.lease(sessionId, 1, 30_000, new AbortController().signal);
  let isAnswered = false;
  const answered = again.finally(() => {
    isAnswered = true;
  });
  while (!isAnswered) {
    await work.queue.renew(sessionId, []);
    await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, 250))]);
  }
  const item = first(await again);
  expect(performance.now() - lostAt).toBeGreaterThan(5_000);
  expect(performance.now() - lostAt).toBeLessThan(10_000);
  expect(item).toMatchObject({ attempt: 1, reason: "LEASE_RETURNED", resource: { key: keyOf("a") } });
  const outcomes = await work.queue.report(sessionId, [reportOf(lost), reportOf(item)]);
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(["STALE", "ACCEPTED"]);
});

function pickResult(): PassResult {
  const dice = Math.random();
  if (dice < 0.2) return { type: "ERROR", error: "unlucky" };
  if (dice < 0.3) return { type: "REQUEUE_AFTER", afterMs: 1 };
  return dice < 0.4 ? { type: "RELEASE" } : { type: "SUCCESS" };
}
