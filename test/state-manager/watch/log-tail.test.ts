import { pino } from "pino";
import { describe, expect, it } from "vitest";
import type { Change } from "../../../src/resource/change.js";
import { createMetrics } from "../../../src/state-manager/observability/metrics.js";
import { LogTail } from "../../../src/state-manager/watch/log-tail.js";
import { TestHistory } from "../../support/changes.js";
import { Random } from "../../support/seed.js";
import { TestLog } from "../../support/test-log.js";
import { until } from "../../support/until.js";

const metrics = createMetrics();
const logger = pino({ level: "silent" });

function makeTail(history = new TestHistory(), maxEvents = 100) {
  const durable = new TestLog(history);
  let advances = 0;
  const tail = new LogTail({
    log: 0,
    head: history.head,
    limits: { maxEvents, maxBytes: 10_000_000 },
    durable,
    redis: undefined,
    metrics,
    logger,
    onAdvance: () => {
      advances += 1;
    },
  });
  return { tail, durable, history, advances: () => advances };
}

/** The ring must be a part of the durable history that ends where the history ends (W2). */
function expectFollows(tail: LogTail, durable: TestLog): void {
  const { changes } = durable.history;
  expect(tail.head).toEqual(durable.history.head);
  for (let count = 0; count < changes.length; count++) {
    const read = tail.read(durable.history.positionAt(count), 1_000);
    if (read.type === "changes") expect(read.changes).toEqual(changes.slice(count));
    else expect(read.type).toBe("missing");
  }
}

const isSettled = (tail: LogTail, durable: TestLog) =>
  until(
    () =>
      tail.head.revision === durable.history.head.revision &&
      tail.head.fingerprint === durable.history.head.fingerprint,
  );

describe("LogTail", () => {
  it("takes this process's commits without asking PostgreSQL", () => {
    const { tail, durable, history, advances } = makeTail();
    tail.offer(history.appendMany(3));
    tail.offer(history.appendMany(2));
    expectFollows(tail, durable);
    expect([durable.reads, advances()]).toEqual([0, 2]);
  });

  it("closes a gap before what it is offered", async () => {
    const { tail, durable, history } = makeTail();
    tail.offer(history.appendMany(2));
    history.appendMany(3);
    tail.offer(history.appendMany(2));
    await isSettled(tail, durable);
    expectFollows(tail, durable);
  });

  it("ignores what it has", () => {
    const { tail, durable, history } = makeTail();
    const changes = history.appendMany(5);
    tail.offer(changes);
    tail.offer(changes.slice(1, 4));
    tail.offer(changes);
    expectFollows(tail, durable);
    expect(durable.reads).toBe(0);
  });

  it("starts again at PostgreSQL's head when a known revision comes with another fingerprint", async () => {
    const { tail, durable, history } = makeTail();
    tail.offer(history.appendMany(5));
    durable.history = history.forkAt(3);
    const changes = durable.history.appendMany(2);
    tail.offer(changes);
    await isSettled(tail, durable);
    expectFollows(tail, durable);
    expect(tail.epoch).toBe(1);
    expect(tail.read(history.positionAt(4), 10).type).toBe("missing");
  });

  it("stays with its own history when PostgreSQL does not confirm the doubt", async () => {
    const { tail, durable, history } = makeTail();
    tail.offer(history.appendMany(5));
    const stale = history.forkAt(3);
    stale.appendMany(3);
    tail.offer(stale.changes.slice(4));
    await until(() => durable.reads > 0);
    tail.offer(history.appendMany(1));
    expectFollows(tail, durable);
    expect(tail.epoch).toBe(0);
  });

  it("does not believe in a revision that PostgreSQL does not have", async () => {
    const { tail, durable, history } = makeTail();
    tail.offer(history.appendMany(2));
    expect(await tail.knock(1_000_000n)).toBe(false);
    expectFollows(tail, durable);
    tail.offer(history.appendMany(1));
    expectFollows(tail, durable);
  });

  it("skips what would not fit its ring", async () => {
    const { tail, durable, history } = makeTail(new TestHistory(), 10);
    history.appendMany(1_000);
    expect(await tail.knock(1_000n)).toBe(true);
    expect(durable.reads).toBeLessThan(3);
    expectFollows(tail, durable);
  });

  it("goes on trying while PostgreSQL is away", async () => {
    const { tail, durable, history } = makeTail();
    durable.isAway = true;
    history.append();
    tail.offer(history.appendMany(1));
    const settled = tail.settle(history.head);
    durable.isAway = false;
    await settled;
    expectFollows(tail, durable);
  });

  it("continues after compaction has overtaken it", async () => {
    const { tail, durable, history } = makeTail();
    history.appendMany(50);
    durable.floor = 40;
    tail.observe(history.head, tail.head);
    await isSettled(tail, durable);
    tail.offer(history.appendMany(1));
    expectFollows(tail, durable);
  });

  it("follows PostgreSQL through any sequence of offers, losses, polls and restores", async () => {
    const random = new Random(7);
    for (let round = 0; round < 150; round++) {
      const { tail, durable } = makeTail(new TestHistory(), 20);
      const late: (readonly Change[])[] = [];
      for (let step = 0; step < 30; step++) {
        const before = tail.head;
        const dice = random.below(10);
        if (dice < 4) tail.offer(durable.history.appendMany(1 + random.below(4)));
        else if (dice < 5) late.push(durable.history.appendMany(1 + random.below(30)));
        else if (dice < 6) tail.offer(late[random.below(late.length)] ?? []);
        else if (dice < 7) durable.history = durable.history.forkAt(random.below(durable.history.changes.length + 1));
        else if (dice < 8) durable.isAway = random.below(3) === 0;
        else if (dice < 9) tail.observe((await durable.extents().catch(() => []))[0]?.head ?? before, before);
        else await new Promise((resolve) => setImmediate(resolve));
      }
      durable.isAway = false;
      // The poll that always comes.
      const before = tail.head;
      const [extent] = await durable.extents();
      if (extent !== undefined) {
        tail.observe(extent.head, before);
        await tail.settle(extent.head);
      }
      expectFollows(tail, durable);
      await tail.stop();
    }
  });
});
