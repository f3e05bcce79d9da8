import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../support/until.js";
import {
  fillQueue,
  first,
  jumpingClock,
  leaseNow,
  openWork,
  type Replica,
  registration,
  remove,
  report,
  type Work,
  write,
} from "./open-work.js";

let work: Work;
beforeEach(async () => {
  work = await openWork();
});
afterEach(() => work.close());

const neverAborted = () => new AbortController().signal;
const sent = async (replica: Replica, name: string) => (await replica.statements()).get(name) ?? 0;

describe("passes per second", () => {
  const SLOW = { passesPerSecond: 0.001, burst: 3, leaseDurationMs: 600_000 };
  test("a burst, then the rate, whose fractions add up, and never more than a burst after a pause", async () => {
    const clock = jumpingClock();
    const { sessionId } = await work.queue.register(registration(SLOW));
    await fillQueue(work, 50);
    const counts = [(await leaseNow(work, sessionId, 10)).length];
    for (const seconds of [0, 1_500, 1_500, 0, 1_000, 999_999]) {
      clock.jump(seconds * 1_000);
      await work.sql("UPDATE sessions SET tokens_at = tokens_at - $1 * interval '1 second'", [seconds]);
      counts.push((await leaseNow(work, sessionId, 10)).length);
    }
    // 1.5 tokens, then 0.5 + 1.5.
    expect(counts).toEqual([3, 0, 1, 2, 0, 1, 3]);
  });

  test("each session has a bucket of its own, and one without a limit none", async () => {
    const slow = await work.queue.register(registration({ ...SLOW, instanceId: "slow" }));
    const free = await work.queue.register(registration({ instanceId: "free" }));
    await fillQueue(work, 20);
    expect(await leaseNow(work, slow.sessionId, 10)).toHaveLength(3);
    expect(await leaseNow(work, slow.sessionId, 10)).toHaveLength(0);
    expect(await leaseNow(work, free.sessionId, 10)).toHaveLength(10);
    expect((await work.queue.listSessions()).map((session) => session.burst)).toEqual([0, 3]);
  });

  test("a worker that always asks gets the rate, and its waiting calls send two statements a token", async () => {
    const { sessionId } = await work.queue.register(registration({ passesPerSecond: 10, burst: 2 }));
    await fillQueue(work, 40);
    const from = performance.now();
    let leased = 0;
    while (leased < 14) {
      const items = await work.queue.lease(sessionId, 5, 20_000, neverAborted());
      leased += items.length;
      for (const item of items) await report(work, sessionId, item);
    }
    const seconds = (performance.now() - from) / 1000;
    expect(seconds).toBeGreaterThanOrEqual((leased - 2) / 10 - 0.001);
    // Per lease: a look that is told to wait, perhaps a second one because a timer fired early, and the one that leases.
    expect(await sent(work, "peek-work")).toBeLessThanOrEqual(3 * leased);
  });

  test("rings do not make a waiting call ask before its next token", async () => {
    const { sessionId } = await work.queue.register(registration({ passesPerSecond: 0.001, burst: 1 }));
    await fillQueue(work, 2);
    const item = first(await leaseNow(work, sessionId));
    await report(work, sessionId, item);
    const client = new AbortController();
    const waiting = work.queue.lease(sessionId, 1, 60_000, client.signal).catch(() => "aborted");
    const looks = await until(async () => (await sent(work, "peek-work")) >= 2 && (await sent(work, "peek-work")));
    for (let i = 0; i < 20; i++) await write(work, `more${i}`);
    expect(await sent(work, "peek-work")).toBe(looks);
    client.abort();
    expect(await waiting).toBe("aborted");
  });
});

describe("concurrency of a kind", () => {
  const limited = (instanceId: string, kindConcurrency: number) =>
    registration({ instanceId, kindConcurrency, leaseDurationMs: 600_000 });

  test("is never exceeded by two sessions at two replicas, and all is done", { timeout: 60_000 }, async () => {
    const other = await work.addReplica();
    await fillQueue(work, 120);
    const done = new AbortController();
    let held = 0;
    let most = 0;
    let passes = 0;
    const run = async (at: Replica, instanceId: string) => {
      const { sessionId } = await at.queue.register(limited(instanceId, 3));
      while (!done.signal.aborted) {
        const items = await at.queue.lease(sessionId, 4, 30_000, done.signal).catch((error: unknown) => {
          if (done.signal.aborted) return [];
          throw error;
        });
        held += items.length;
        most = Math.max(most, held);
        for (const item of items) {
          held--;
          await report(at, sessionId, item);
          if (++passes === 120) done.abort();
        }
      }
    };
    await Promise.all([run(work, "a"), run(other, "b"), run(work, "c"), run(other, "d")]);
    expect(passes).toBe(120);
    expect(most).toBeLessThanOrEqual(3);
    expect(await sent(work, "lock-kind")).toBeGreaterThan(0);
  });

  test("counts exactly when two replicas look at once", async () => {
    const other = await work.addReplica();
    const a = await work.queue.register(limited("a", 5));
    const b = await other.queue.register(limited("b", 5));
    await fillQueue(work, 50);
    const answers = await Promise.all([leaseNow(work, a.sessionId, 10), leaseNow(other, b.sessionId, 10)]);
    expect(answers.flat()).toHaveLength(5);
  });

  // No pulse runs here: only a ring can wake the other one.
  test.each(["report", "deregister", "deregister after a removal"])(
    "a lease that ends by %s lets a session at another replica look at once",
    async (how) => {
      const other = await work.addReplica();
      const a = await work.queue.register(limited("a", 1));
      const b = await other.queue.register(limited("b", 1));
      await write(work, "x");
      await write(work, "y");
      const item = first(await leaseNow(work, a.sessionId));
      const waiting = other.queue.lease(b.sessionId, 1, 20_000, neverAborted());
      await until(async () => (await sent(other, "peek-work")) > 0);
      if (how === "deregister after a removal") await remove(work, item.resource.key.name);
      const from = performance.now();
      if (how === "report") await report(work, a.sessionId, item);
      else await work.queue.deregister(a.sessionId);
      expect(await waiting).toHaveLength(1);
      expect(performance.now() - from).toBeLessThan(2_000);
    },
  );

  test("the newest registration decides, also for sessions that came before", async () => {
    const a = await work.queue.register(limited("a", 0));
    await fillQueue(work, 10);
    expect(await leaseNow(work, a.sessionId, 2)).toHaveLength(2);
    await work.queue.register(limited("b", 3));
    expect(await leaseNow(work, a.sessionId, 5)).toHaveLength(1);
    await work.queue.register(limited("b", 0));
    expect(await leaseNow(work, a.sessionId, 5)).toHaveLength(5);
  });

  test("other kinds are not counted", async () => {
    const gadget = { resourceGroup: "apps", kind: "Gadget" };
    const session = { ...limited("a", 2), kinds: [...registration().kinds, gadget] };
    const { sessionId } = await work.queue.register(session);
    await fillQueue(work, 4);
    await work.sql("UPDATE resources SET kind = 'Gadget' WHERE name = 'r1'");
    await work.sql("UPDATE work_items SET kind = 'Gadget' WHERE name = 'r1'");
    const kinds: string[] = [];
    for (let i = 0; i < 3; i++) {
      kinds.push(...(await leaseNow(work, sessionId)).map((item) => item.resource.key.kind));
    }
    expect(kinds.sort()).toEqual(["Gadget", "Widget", "Widget"]);
  });
});
