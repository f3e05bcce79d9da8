import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createResourceClient } from "../../src/client/index.js";
import { firstDifference } from "../support/history.js";
import type { Load } from "../support/load.js";
import type { Observer } from "../support/observer.js";
import { hasRedis } from "../support/redis.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

const PATIENT = { timeoutMs: 30_000 };

describe.skipIf(!hasRedis)("Redis", { timeout: 90_000 }, () => {
  it("that is absent at the start is done without, and used once it is there (2.2)", async () => {
    const world = await World.open({ redis: "down" });
    const watchers = await openWatchers(world);
    const load = world.load({ lanes: 12 });
    await until(() => load.acknowledged.length > 200, PATIENT);
    await expectStrongReads(world);
    await until(() => watchers.every(({ seen }) => seen.length > 120), {
      ...PATIENT,
      what: "watchers are fed without Redis",
    });
    expect(await world.metric("publisher_events_total")).toBe(0);
    const client = createResourceClient(world.replica(0).url);
    onTestFinished(() => client.close());
    const { redis, postgres } = await client.serverStatus();
    expect([postgres.state, redis.state]).toEqual(["OK", "FAILING"]);
    expect(redis.message).toContain("REDIS_URL");

    await world.redis.start();
    await expectHealed(world, load);
    await expectNothingLost(world, load, watchers);
  });

  it("killed, flushed and restored from an old dump under load costs no change, no read and no write (I2, I3)", async () => {
    const world = await World.open({ redis: true });
    const { redis } = world;
    const watchers = await openWatchers(world);
    const load = world.load({ lanes: 12 });
    const grow = (by: number) => {
      const target = load.acknowledged.length + by;
      return until(() => load.acknowledged.length > target, { ...PATIENT, what: "writes go on" });
    };
    const control = redis.client();
    const dump = join(redis.dataDir, "dump.rdb");
    await grow(120);
    await control.save();
    copyFileSync(dump, `${dump}.old`);

    await grow(120);
    await control.flushall();
    await grow(120);
    await expectHealed(world, load);

    await redis.kill();
    await grow(120);
    await expectStrongReads(world);
    await until(() => watchers.every(({ seen }) => seen.length > 360), {
      ...PATIENT,
      what: "watchers are fed without Redis",
    });
    copyFileSync(`${dump}.old`, dump);
    await redis.start();
    await expectHealed(world, load);
    await grow(120);
    await expectNothingLost(world, load, watchers);
    expect(await world.metric("publisher_appends_total", { outcome: "restarted" })).toBeGreaterThan(0);
  });

  it("that goes silent delays one write by a quarter of a second, and no other (2.6)", async () => {
    const world = await World.open({ redis: true });
    const watchers = await openWatchers(world);
    // One write at a time through one replica: what is counted is not up to the speed of the machine.
    const load = world.load({ urls: world.urls.slice(0, 1), lanes: 1 });
    await until(() => load.acknowledged.length > 50, PATIENT);
    const timeouts = () => world.metric("publisher_wait_timeouts_total");
    const before = await timeouts();
    const pid = Number(readFileSync(join(world.redis.dataDir, "redis.pid"), "utf8"));
    process.kill(pid, "SIGSTOP");
    const from = load.times.length;
    await until(() => load.times.length > from + 200, PATIENT);
    const silent = load.times.slice(from).map(({ ms }) => ms);
    const waited = (await timeouts()) - before;
    await until(() => watchers.every(({ seen }) => seen.length > from + 100), {
      ...PATIENT,
      what: "watchers are fed from PostgreSQL",
    });
    process.kill(pid, "SIGCONT");

    expect(waited).toBe(1);
    expect(Math.max(...silent)).toBeLessThan(2_000);
    expect(silent.sort((a, b) => a - b)[100]).toBeLessThan(200);
    await expectHealed(world, load);
    await expectNothingLost(world, load, watchers);
    const [replica] = world.replicas;
    expect(replica?.program.lines.map(({ msg }) => msg)).toContain("change streams are written again");
  });
});

async function openWatchers(world: World): Promise<readonly Observer[]> {
  const [a, b] = world.urls as [string, string];
  const watchers = [
    world.observe({ protocol: "sse", urls: [a] }),
    world.observe({ protocol: "grpc", urls: [b] }),
    world.observe({ protocol: "connect", urls: [a, b], cutEvery: 60 }),
  ];
  await until(() => watchers.every(({ isPlaced }) => isPlaced));
  return watchers;
}

/** The stream carries what is written, and both replicas hear of each other through it again. */
async function expectHealed(world: World, load: Load): Promise<void> {
  const heard = () => world.metric("watch_tail_events_total", { source: "redis" });
  const before = await heard();
  await until(async () => (await heard()) > before, { ...PATIENT, what: "changes are heard of through Redis again" });
  const written = load.acknowledged.length;
  await until(() => load.acknowledged.length > written + 20, PATIENT);
}

async function expectStrongReads({ urls }: World): Promise<void> {
  for (const url of urls) {
    const client = createResourceClient(url);
    onTestFinished(() => client.close());
    const { resource } = await client.apply({
      key: { resourceGroup: "load", kind: "one", namespace: "reads", name: url },
      spec: 1,
    });
    expect((await client.get(resource.key))?.revision).toBe(resource.revision);
  }
}

async function expectNothingLost(world: World, load: Load, watchers: readonly Observer[]): Promise<void> {
  await load.stop();
  const history = await world.history();
  expect(load.violations).toEqual([]);
  expect([...load.failures]).toEqual([]);
  expect(load.contradictions(history)).toEqual([]);
  const expected = history.expectedBy();
  await until(() => watchers.every(({ seen }) => seen.length >= expected.length), {
    ...PATIENT,
    what: "watchers have seen everything",
  });
  for (const { seen } of watchers) expect(firstDifference(expected, seen)).toBeUndefined();
  await until(async () => (await world.streamEnd()) === history.length, {
    ...PATIENT,
    what: "the stream is at the end of the log",
  });
}
