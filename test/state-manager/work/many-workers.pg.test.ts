import { afterAll, beforeAll, expect, test } from "vitest";
import { hasReason } from "../../../src/resource/errors.js";
import type { PassResult } from "../../../src/resource/work.js";
import type { LeasedItem } from "../../../src/state-manager/work/work-service.js";
import { until } from "../../support/until.js";
import {
  keyOf,
  openWork,
  type Replica,
  registration,
  remove,
  report,
  reportOf,
  type Work,
  write,
} from "./open-work.js";

const KEYS = Array.from({ length: 12 }, (_, i) => `r${i}`);
const CHANGES = 300;

let work: Work;
beforeAll(async () => {
  work = await openWork();
});
afterAll(() => work.close());

/** Who holds what at this instant, as the workers know it: the referee of I7. */
class Audit {
  readonly #held = new Map<string, string>();
  passes = 0;
  violations: string[] = [];

  take(worker: string, { resource: { key } }: LeasedItem): void {
    const holder = this.#held.get(key.name);
    if (holder !== undefined) this.violations.push(`${key.name} given to ${worker} while ${holder} holds it`);
    this.#held.set(key.name, worker);
    this.passes++;
  }

  /** Called before the report is sent: once it is stored, the next holder may be faster than its answer. */
  leave({ resource: { key } }: LeasedItem): void {
    this.#held.delete(key.name);
  }
}

function randomResult(): PassResult {
  const dice = Math.random();
  if (dice < 0.1) return { type: "ERROR", error: "unlucky" };
  if (dice < 0.2) return { type: "RELEASE" };
  if (dice < 0.25) return { type: "REQUEUE_AFTER", afterMs: 20 };
  return { type: "SUCCESS" };
}

async function runWorker(at: Replica, instanceId: string, audit: Audit, signal: AbortSignal): Promise<void> {
  const { sessionId } = await at.queue.register(
    registration({ instanceId, concurrency: 4, finalizer: "widgets/hold", leaseDurationMs: 600_000 }),
  );
  while (!signal.aborted) {
    const items = await at.queue.lease(sessionId, 3, 1_000, signal).catch((error: unknown) => {
      if (signal.aborted) return [];
      throw error;
    });
    for (const item of items) audit.take(instanceId, item);
    await Promise.all(
      items.map(async (item) => {
        audit.leave(item);
        const result = randomResult();
        if (result.type !== "SUCCESS") return report(at, sessionId, item, result);
        // The status shows which spec the pass saw.
        const statusJson = item.resource.specJson ?? "null";
        const [answer] = await at.queue.report(sessionId, [{ ...reportOf(item), statusJson }]);
        return answer;
      }),
    );
  }
}

test("I7: four workers at two replicas never hold a key twice, miss no change and leave nothing behind", {
  timeout: 60_000,
}, async () => {
  const replica = await work.addReplica();
  work.queue.start();
  replica.queue.start();
  const audit = new Audit();
  const client = new AbortController();
  const workers = [work, replica, work, replica].map((at, i) => runWorker(at, `w${i}`, audit, client.signal));

  try {
    for (let i = 0; i < CHANGES; i++) {
      const name = KEYS[Math.floor(Math.random() * KEYS.length)] ?? "";
      const at = i % 2 === 0 ? work : replica;
      // A deletion may find nothing to delete, a write a resource on its way out: both are part of the game.
      if (Math.random() < 0.15) await remove(at, name).catch(() => {});
      else await write(at, name, { spec: String(i) });
    }
    await until(async () => (await work.queue.listWork({}, undefined, 100)).length === 0, { timeoutMs: 30_000 });
  } finally {
    client.abort();
    await Promise.all(workers);
  }

  expect(audit.violations).toEqual([]);
  expect(audit.passes).toBeGreaterThan(KEYS.length);
  for (const name of KEYS) {
    const resource = await work.store.reader.get(keyOf(name));
    if (resource === undefined) continue;
    expect(resource).toMatchObject({ observedGeneration: resource.generation, deletionRequestedAt: null });
    expect(resource.statusJson).toBe(resource.specJson);
  }
});

test("I7: whatever happens to a resource during a lease, exactly one pass follows", { timeout: 60_000 }, async () => {
  const { sessionId } = await work.queue.register(registration({ instanceId: "alone", leaseDurationMs: 600_000 }));
  const lease = () => work.queue.lease(sessionId, 1, 5_000, new AbortController().signal);
  // Between a racing deletion and its re-creation there is nothing to change; the re-creation is a change then.
  const unlessGone = (error: unknown) => {
    if (!hasReason(error, "NOT_FOUND")) throw error;
  };
  const changes: (() => Promise<unknown>)[] = [
    () => write(work, "x", { spec: String(Math.random()) }),
    () => work.queue.enqueue(keyOf("x"), "outside"),
    () =>
      work.store.sink.submit({
        type: "update-status",
        key: keyOf("x"),
        statusJson: String(Math.random()),
        observedGeneration: undefined,
        metadata: undefined,
        expected: {},
      }),
    async () => {
      await remove(work, "x").catch(unlessGone);
      await write(work, "x");
    },
  ];
  await write(work, "x");
  for (let round = 0; round < 25; round++) {
    const [item] = await lease();
    if (item === undefined) throw new Error(`round ${round}: nothing to lease`);
    const count = Math.floor(Math.random() * 5);
    // Some changes race with the report itself.
    const racing = Array.from({ length: count }, () =>
      changes[Math.floor(Math.random() * changes.length)]?.().catch(unlessGone),
    );
    if (Math.random() < 0.5) await Promise.all(racing);
    expect(await report(work, sessionId, item)).toBe("ACCEPTED");
    await Promise.all(racing);
    let passes = 0;
    for (let [next] = await work.queue.lease(sessionId, 1, 0, new AbortController().signal); next !== undefined; ) {
      passes++;
      await report(work, sessionId, next);
      [next] = await work.queue.lease(sessionId, 1, 0, new AbortController().signal);
    }
    expect(passes).toBe(count === 0 ? 0 : 1);
    expect(await work.queue.listWork({}, undefined, 10)).toEqual([]);
    await work.queue.enqueue(keyOf("x"), "next round");
  }
});
