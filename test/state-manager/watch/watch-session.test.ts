import { setImmediate as nextTurn } from "node:timers/promises";
import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import type { Change, Position } from "../../../src/resource/change.js";
import type { LabelSelector } from "../../../src/resource/label-selector.js";
import type { ResourceFilter } from "../../../src/resource/resource-filter.js";
import type { DurableChangeLog, LogExtent } from "../../../src/state-manager/log/change-log.js";
import { createMetrics } from "../../../src/state-manager/observability/metrics.js";
import { toWatchEvent } from "../../../src/state-manager/watch/event-filter.js";
import { WatchService } from "../../../src/state-manager/watch/watch-service.js";
import { TestHistory } from "../../support/changes.js";
import { Random } from "../../support/seed.js";
import { TestLog } from "../../support/test-log.js";
import { until } from "../../support/until.js";
import { Watcher } from "./replica.js";

const STORE_ID = "0190c6f0-1111-7222-8333-444455556666";
const key = (name: string, kind = "Widget") => ({ resourceGroup: "apps", kind, namespace: "default", name });

/** Several logs in memory. */
class TestLogs implements DurableChangeLog {
  readonly logs: readonly TestLog[];

  constructor(histories: readonly TestHistory[]) {
    this.logs = histories.map((history) => new TestLog(history));
  }
  get reads(): number {
    return this.logs.reduce((sum, { reads }) => sum + reads, 0);
  }
  async extents(): Promise<readonly LogExtent[]> {
    return (await Promise.all(this.logs.map((log) => log.extents()))).flat();
  }
  read(log: number, after: Position, limit: number): Promise<readonly Change[]> {
    return (this.logs[log] as TestLog).read(0, after, limit);
  }
}

describe("WatchSession", () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  async function open(options: { logCount?: number; bookmarkMs?: number; maxEvents?: number } = {}) {
    const { logCount = 1, bookmarkMs = 60_000, maxEvents = 8_192 } = options;
    const histories = Array.from({ length: logCount }, (_, log) => new TestHistory(log));
    const durable = new TestLogs(histories);
    const metrics = createMetrics();
    const service = await WatchService.start({
      identity: { storeId: STORE_ID, logCount },
      durable,
      reader: { get: never, list: never } as never,
      metrics,
      logger: pino({ level: "silent" }),
      bookmarkMs,
      ringLimits: { maxEvents, maxBytes: 64_000_000 },
    });
    closers.push(() => service.stop());
    const watch = async (filter: ResourceFilter) => {
      const watcher = await Watcher.open(service, { filter, sendInitialState: false, resumeToken: undefined });
      closers.push(() => watcher.close());
      return watcher;
    };
    const woken = async () => (await metrics.watchWakeups.get()).values[0]?.value ?? 0;
    const scanned = async () => (await metrics.watchEvents.get()).values.reduce((sum, { value }) => sum + value, 0);
    return { service, durable, histories, history: histories[0] as TestHistory, watch, woken, scanned };
  }

  it("a change wakes the watch that it concerns, and none of 1,000 that watch other names", async () => {
    const { service, history, watch, woken, scanned } = await open();
    const watchers = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => watch({ kind: "Widget", name: `n${i}` })),
    );
    await until(() => watchers.every(({ types }) => types.length === 1));
    for (let i = 0; i < 200; i++) {
      service.offer([history.append({ resource: { key: key("other") } })]);
      await nextTurn();
    }
    expect(await woken()).toBe(0);
    service.offer([history.append({ resource: { key: key("n7") } })]);
    await until(() => watchers[7]?.seen.length === 1);
    expect([await woken(), await scanned()]).toEqual([1, 1]);
    expect(watchers.reduce((sum, { seen }) => sum + seen.length, 0)).toBe(1);
  });

  it("a quiet watch stays at the end of the log: its token is current, and nothing is read again", async () => {
    const { service, history, durable, watch, scanned } = await open({ bookmarkMs: 20, maxEvents: 16 });
    const watcher = await watch({ name: "mine" });
    await until(() => watcher.types.length > 0);
    const offer = (name: string) => service.offer([history.append({ resource: { key: key(name) } })]);
    for (let i = 0; i < 500; i++) offer("other");
    await until(() => watcher.token === service.tokenFor([history.head]), { what: "a bookmark of the end" });
    // Far more than the ring holds, then news: it is read from the ring.
    for (let i = 0; i < 500; i++) offer("other");
    offer("mine");
    await until(() => watcher.seen.length === 1);
    expect(watcher.seen[0]?.revision).toBe(1_001n);
    expect(watcher.token).toBe(service.tokenFor([history.head]));
    expect([durable.reads, await scanned()]).toEqual([0, 1]);
  });

  it("all quiet watches get their bookmarks, however many are due at once", async () => {
    const { watch } = await open({ bookmarkMs: 20 });
    const watchers = await Promise.all(Array.from({ length: 300 }, (_, i) => watch({ name: `n${i}` })));
    await until(() => watchers.every(({ types }) => types.length >= 3));
    expect(new Set(watchers.flatMap(({ types }) => types))).toEqual(new Set(["BOOKMARK"]));
  });

  it("every watch sees exactly what its filter lets through, once and in order, while others see nothing (I2, I3)", async () => {
    const random = new Random(23);
    const pick = <T>(...items: readonly T[]) => random.pick(items);
    const { service, histories, watch } = await open({ logCount: 2, bookmarkMs: 15, maxEvents: 64 });
    const app = (...values: string[]): LabelSelector => ({ requirements: [{ key: "app", values }] });
    const filters: readonly ResourceFilter[] = [
      {},
      { kind: "Widget" },
      { kind: "Widget", name: "a" },
      { name: "b" },
      { shardId: "s0" },
      { shardId: "s1", kind: "Gadget" },
      { ownerUid: "u1" },
      { ownerUid: "u2", labels: app("x") },
      { labels: app("x", "y") },
      { labels: app("z"), name: "c" },
      { name: "nobody" },
    ];
    const watchers = await Promise.all(filters.map(watch));
    await until(() => watchers.every(({ types }) => types.length > 0));
    const labels = () => new Map(random.below(10) < 6 ? [["app", pick("x", "y", "z")]] : []);
    const owner = () => pick(null, "u1", "u2");
    for (let round = 0; round < 400; round++) {
      const log = pick(0, 1);
      const changes = Array.from({ length: pick(1, 1, 2, 5) }, () => {
        const type = pick("ADDED", "MODIFIED", "DELETED");
        const uid = owner();
        return (histories[log] as TestHistory).append({
          type,
          resource: {
            key: key(pick("a", "b", "c", "d"), pick("Widget", "Gadget")),
            shardId: `s${log}`,
            labels: labels(),
            owner: uid === null ? null : { resourceGroup: "apps", kind: "Owner", name: "o", uid },
          },
          previousLabels: type === "ADDED" ? null : labels(),
          previousOwnerUid: type === "ADDED" ? null : owner(),
          movedTo: type === "DELETED" && random.below(10) < 5 ? `s${1 - log}` : null,
        });
      });
      service.offer(changes);
      for (let turns = pick(0, 0, 1, 3); turns > 0; turns--) await nextTurn();
      if (round % 100 === 99) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const end = service.tokenFor(histories.map(({ head }) => head));
    await until(() => watchers.every(({ token }) => token === end), { what: "all watches are at the end" });
    for (const [i, { seen }] of watchers.entries()) {
      for (const { log, changes } of histories) {
        const expected = changes.flatMap((change) => {
          const event = toWatchEvent(filters[i] ?? {}, change);
          return event !== undefined && "resource" in event ? [`${event.type} ${event.revision}`] : [];
        });
        const got = seen.filter((event) => event.log === log).map(({ type, revision }) => `${type} ${revision}`);
        expect(got).toEqual(expected);
      }
    }
  });
});

function never(): Promise<never> {
  return Promise.reject(new Error("not asked for here"));
}
