import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { firstDifference, type HistoryFilter, type Seen } from "../support/history.js";
import { KINDS, type Load, SHARDS, TIERS } from "../support/load.js";
import type { Observer } from "../support/observer.js";
import { hasRedis } from "../support/redis.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

const EVENTS = 20_000;
/** Between two faults: every fault meets a system that has just got over the one before. */
const EVENTS_BETWEEN_FAULTS = 900;

const [KIND, SHARD, TIER] = [KINDS[0] ?? "", SHARDS[0] ?? "", TIERS[0] ?? ""];

describe.skipIf(!hasRedis)("watching through two replicas", { timeout: 300_000 }, () => {
  it("misses, repeats, reorders and alters nothing of 20,000 mixed events while Redis is flushed, killed and restarted (I1, I2, I3)", async () => {
    const world = await World.open({ redis: true });
    const [a, b] = world.urls as [string, string];
    const isOver = { now: false };
    const filters = new Map<Observer, HistoryFilter>();
    const watch = (filter: HistoryFilter, options: Parameters<World["observe"]>[0]) => {
      const observer = world.observe({ ...options, filter });
      filters.set(observer, filter);
      return observer;
    };
    // Further behind than the ring of a replica reaches.
    const fallBehind = (observer: Observer) =>
      until(() => isOver.now || steady.revision - observer.revision > 9_000, {
        timeoutMs: 240_000,
        what: "the others are far ahead",
      });
    const steady = watch({}, { protocol: "connect", urls: [a] });
    const watchers = [
      steady,
      watch({}, { protocol: "sse", urls: [b] }),
      watch({}, { protocol: "sse", urls: [a, b], cutEvery: 700 }),
      watch({}, { protocol: "grpc", urls: [b, a], cutEvery: 1_500 }),
      watch({ kind: KIND, tier: TIER }, { protocol: "connect", urls: [a, b], cutEvery: 400 }),
      watch({ shard: SHARD }, { protocol: "sse", urls: [b, a], cutEvery: 300 }),
      watch({ kind: KIND, shard: SHARD, tier: TIER }, { protocol: "grpc", urls: [a] }),
      watch({}, { protocol: "connect", urls: [b], gate: fallBehind }),
    ];
    onTestFinished(() => {
      isOver.now = true; // A failed test does not wait for who fell behind.
    });
    await until(() => watchers.every(({ isPlaced }) => isPlaced));

    const load = world.load({ lanes: 160, largeEvery: 400 });
    await until(() => steady.seen.length > EVENTS / 10, { timeoutMs: 60_000 });
    const late = [
      watch({}, { protocol: "connect", urls: [b, a], sendInitialState: true }),
      watch({ kind: KIND, tier: TIER }, { protocol: "sse", urls: [a], sendInitialState: true }),
    ];
    const faults = await breakRedis(world, load, () => steady.seen.length, EVENTS, EVENTS_BETWEEN_FAULTS);
    await load.stop();
    isOver.now = true;
    const history = await world.history();

    expect(load.violations).toEqual([]);
    expect(history.flaws).toEqual([]);
    expect(history.length).toBeGreaterThanOrEqual(EVENTS);
    expect(load.contradictions(history)).toEqual([]);
    for (const watcher of watchers) await expectAll(watcher, history.expectedBy(filters.get(watcher)));
    for (const watcher of late) {
      const filter = filters.get(watcher);
      await until(() => watcher.isPlaced && watcher.revision === history.expectedBy(filter).at(-1)?.revision, {
        timeoutMs: 30_000,
      });
      // What it was told up to SYNCED is what there was just before the first change it saw after.
      const at = (watcher.seen[0]?.revision ?? history.length + 1) - 1;
      expect(findMisordered(watcher.initial)).toEqual([]);
      expect(stateOf(watcher)).toEqual(history.stateAt(at, filter));
      await expectAll(watcher, history.expectedBy(filter, at));
    }
    // Every way was used, or this proves less than it says.
    expect(faults).toBeGreaterThan(15);
    for (const source of ["ring", "postgres"]) {
      expect(await world.metric("watch_events_total", { source }), source).toBeGreaterThan(0);
    }
    for (const source of ["memory", "redis", "postgres"]) {
      expect(await world.metric("watch_tail_events_total", { source }), source).toBeGreaterThan(0);
    }
  });

  it("sees every log whole and in order when there are several, and resources move between them (2.3)", async () => {
    const world = await World.open({ redis: true, logCount: 3 });
    const filters: readonly HistoryFilter[] = [{}, {}, {}, { shard: SHARD }, { kind: KIND, tier: TIER }];
    const protocols = ["connect", "sse", "grpc", "sse", "connect"] as const;
    const watchers = filters.map((filter, i) => {
      const cuts = i === 0 ? {} : { cutEvery: 150 * i };
      return world.observe({ protocol: protocols[i] ?? "sse", filter, ...cuts });
    });
    await until(() => watchers.every(({ isPlaced }) => isPlaced));
    const load = world.load({ lanes: 96 });
    await breakRedis(world, load, () => watchers[0]?.seen.length ?? 0, 2_800, 400);
    await load.stop();
    const history = await world.history();
    expect(load.violations).toEqual([]);
    expect(history.flaws).toEqual([]);
    expect(new Set(history.events.map(({ log }) => log)).size).toBe(3);
    expect(load.contradictions(history)).toEqual([]);
    for (const [i, watcher] of watchers.entries()) await expectAll(watcher, history.expectedBy(filters[i]));
  });

  it("is fed from memory and Redis while all is well, and by either replica (2.7)", async () => {
    const world = await World.open({ redis: true });
    const [a, b] = world.urls as [string, string];
    const watchers = [a, b].flatMap((url) => [
      world.observe({ protocol: "connect", urls: [url] }),
      world.observe({ protocol: "sse", urls: [url], filter: { kind: KIND } }),
    ]);
    await until(() => watchers.every(({ isPlaced }) => isPlaced));
    for (const url of [a, b]) {
      const before = await Promise.all(
        world.replicas.map((replica) => replica.metric("watch_tail_events_total", { source: "redis" })),
      );
      const load = world.load({ urls: [url], lanes: 16, name: `by-${url === a ? "a" : "b"}` });
      await until(() => load.acknowledged.length > 500, { timeoutMs: 30_000 });
      await load.stop();
      const history = await world.history();
      expect(load.violations).toEqual([]);
      for (const watcher of watchers)
        await expectAll(
          watcher,
          history.expectedBy(watcher === watchers[1] || watcher === watchers[3] ? { kind: KIND } : {}),
        );
      // The other replica heard of them through Redis, not by looking into PostgreSQL.
      const other = url === a ? 1 : 0;
      const heard =
        (await world.replica(other).metric("watch_tail_events_total", { source: "redis" })) - (before[other] ?? 0);
      expect(heard).toBeGreaterThan(470);
    }
    const all = await world.metric("watch_events_total");
    const slow = await world.metric("watch_events_total", { source: "postgres" });
    expect(all).toBeGreaterThan(3_000);
    expect((all - slow) / all).toBeGreaterThanOrEqual(0.95);
  });
});

async function expectAll(watcher: Observer, expected: readonly Seen[]): Promise<void> {
  await until(() => watcher.seen.length >= expected.length || watcher.refusal, {
    timeoutMs: 60_000,
    what: "the watcher has seen everything",
  });
  expect(watcher.refusal).toBeUndefined();
  expect(firstDifference(expected, watcher.seen)).toBeUndefined();
}

/** What came up to SYNCED and is older than what was told of the same resource, or is not what may follow it (I3). */
function findMisordered(initial: readonly Seen[]): readonly Seen[] {
  const last = new Map<string, Seen>();
  return initial.filter((each) => {
    const before = last.get(each.uid);
    last.set(each.uid, each);
    const isNew = before === undefined || before.type === "DELETED";
    return isNew !== (each.type === "ADDED") || (before !== undefined && before.revision >= each.revision);
  });
}

/** What a watcher knows when its initial state is complete. */
function stateOf({ initial }: Observer): ReadonlyMap<string, string> {
  const state = new Map<string, string>();
  for (const { type, uid, body } of initial) {
    if (type === "DELETED") state.delete(uid);
    else state.set(uid, body);
  }
  return state;
}

/** One fault after the other until there are enough events; returns how many. */
async function breakRedis(
  { redis }: World,
  load: Load,
  events: () => number,
  enough: number,
  eventsBetweenFaults: number,
): Promise<number> {
  const control = redis.client();
  const dump = join(redis.dataDir, "dump.rdb");
  const faults: (() => Promise<unknown>)[] = [
    () => control.flushall(),
    async () => {
      await redis.kill();
      await redis.start();
    },
    () => control.save(),
    () => control.flushall(),
    // Back with the dump of some thousand events ago.
    async () => {
      await redis.kill();
      const written = load.acknowledged.length;
      await until(() => load.acknowledged.length > written + 200, {
        timeoutMs: 30_000,
        what: "writes go on without Redis",
      });
      await redis.start();
    },
    () => control.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
    async () => {
      await redis.kill();
      if (existsSync(dump)) rmSync(dump);
      await redis.start();
    },
  ];
  let count = 0;
  for (; events() < enough; count++) {
    const next = events() + eventsBetweenFaults;
    // Its own connection breaks with the server: a fault that fails was replaced by a worse one.
    await faults[count % faults.length]?.().catch(() => {});
    await until(() => events() >= next, { timeoutMs: 60_000, what: "watching goes on after a fault" });
  }
  return count;
}
