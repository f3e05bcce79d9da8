import { pino } from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { createResourceClient } from "../../src/client/index.js";
import { defineReconciler, done, runControlLoop } from "../../src/controlloop/index.js";
import { startBalancer } from "../support/balancer.js";
import { findHalfWritten, firstDifference } from "../support/history.js";
import type { Load } from "../support/load.js";
import type { Observer } from "../support/observer.js";
import { hasRedis } from "../support/redis.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

const PATIENT = { timeoutMs: 30_000 };

describe.skipIf(!hasRedis)("a replica", { timeout: 90_000 }, () => {
  it("killed with -9 takes nothing along: watchers resume elsewhere, workers keep their leases, writes go on (I2, I3, I7, I10)", async () => {
    const world = await World.open({ redis: true });
    const watchers = await openWatchers(world);
    const worker = await startWorker(world);
    const client = createResourceClient(world.replica(1).url);
    onTestFinished(() => client.close());
    const job = (name: string) => ({ resourceGroup: "work", kind: "job", namespace: "default", name });
    const { resource: held } = await client.apply({ key: job("held"), spec: 1 });
    await until(() => worker.passes.includes("held"));

    const load = world.load({ lanes: 12 });
    await until(() => load.acknowledged.length > 120, PATIENT);
    await world.replica(0).program.kill();
    const written = load.acknowledged.length;
    await until(() => load.acknowledged.length > written + 120, {
      ...PATIENT,
      what: "writes go on at the other replica",
    });
    await Promise.all(Array.from({ length: 20 }, (_, i) => client.apply({ key: job(`later-${i}`), spec: i })));
    await until(() => worker.passes.length === 21, {
      ...PATIENT,
      what: "the worker gets new work from the other replica",
    });
    worker.letGo();
    await until(async () => (await client.get(held.key))?.observedGeneration === 1n, PATIENT);
    expect(worker.passes.filter((name) => name === "held")).toHaveLength(1);

    await world.replica(0).start();
    const before = load.acknowledged.length;
    await until(() => load.acknowledged.length > before + 80, PATIENT);
    await worker.stop();
    await expectNothingLost(world, load, watchers);
    for (const { connects } of watchers) expect(connects).toBeGreaterThan(1);
  });

  it("paused in the middle of a batch holds others up for seconds only, and doubles nothing when it wakes (2.5, I2, I10)", async () => {
    const world = await World.open({ redis: true });
    const [paused, other] = [world.replica(0), world.replica(1)];
    const watchers = await openWatchers(world);
    const load = world.load({ lanes: 32, timeoutMs: 3_000 });
    await until(() => load.acknowledged.length > 120, PATIENT);
    onTestFinished(() => paused.program.signal("SIGCONT"));
    const startedAt = await pauseInTransaction(world);

    const written = load.acknowledged.length;
    await until(() => load.acknowledged.length > written + 100, { ...PATIENT, what: "the other replica gets the log" });
    const stalledMs = performance.now() - startedAt;
    expect(stalledMs).toBeLessThan(15_000);
    // What the paused replica was given it may only store once it wakes, or not at all.
    await until(() => load.acknowledged.length > written + 200, PATIENT);
    paused.program.signal("SIGCONT");
    const client = createResourceClient(paused.url);
    onTestFinished(() => client.close());
    await client.apply({ key: { resourceGroup: "work", kind: "job", namespace: "default", name: "awake" }, spec: 1 });
    const awake = load.acknowledged.length;
    await until(() => load.acknowledged.length > awake + 80, PATIENT);
    await expectNothingLost(world, load, watchers);
    expect(paused.program.hasEnded || other.program.hasEnded).toBe(false);
  });

  it("told to stop under load exits 0 in time; all it acknowledged is stored and its watchers resume elsewhere (I3, I10)", async () => {
    const world = await World.open({ redis: true });
    const leaving = world.replica(0).program;
    const watchers = await openWatchers(world);
    const load = world.load({ lanes: 32 });
    await until(() => load.acknowledged.length > 200, PATIENT);
    const startedAt = performance.now();
    leaving.signal("SIGTERM");
    expect(await leaving.exited).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    const written = load.acknowledged.length;
    await until(() => load.acknowledged.length > written + 120, PATIENT);
    await expectNothingLost(world, load, watchers);
    for (const { interruptions } of watchers) expect(interruptions[0]).toBe("SHUTTING_DOWN");
    expect(leaving.lines.filter(({ level }) => level === "error")).toEqual([]);
    expect(leaving.noise).toEqual([]);
  });
});

/** All begin at the first replica. */
async function openWatchers(world: World): Promise<readonly Observer[]> {
  const watchers = (["sse", "grpc", "connect"] as const).map((protocol) => world.observe({ protocol }));
  await until(() => watchers.every(({ isPlaced }) => isPlaced));
  return watchers;
}

/** A control loop behind a balancer; its pass over `held` lasts until `letGo`. */
async function startWorker(world: World) {
  const balancer = await startBalancer(world.urls);
  onTestFinished(() => balancer.close());
  const passes: string[] = [];
  let letGo = () => {};
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const reconciler = defineReconciler({
    name: "job-reconciler",
    resourceGroup: "work",
    kind: "job",
    async reconcile({ key }) {
      passes.push(key.name);
      if (key.name === "held") await gate;
      return done({ by: "worker" });
    },
  });
  const loop = runControlLoop({
    serverUrl: balancer.url,
    reconcilers: [reconciler],
    logger: pino({ level: "silent" }),
    graceMs: 1_000,
  });
  onTestFinished(() => loop.stop());
  return { passes, letGo, stop: () => loop.stop() };
}

/** Stops replica 0 with a transaction open that holds the log's head; returns when it did. */
async function pauseInTransaction(world: World): Promise<number> {
  const { program } = world.replica(0);
  const backends = (state: string) =>
    world.sql(`SELECT pid FROM pg_stat_activity WHERE application_name = 'replica-0' AND state = '${state}'`);
  return until(async () => {
    const startedAt = performance.now();
    program.signal("SIGSTOP");
    // What it had sent goes on to its end; a COMMIT among it leaves nothing open, and a wait for the lock ends with the lock.
    await until(async () => (await backends("active")).length === 0);
    if ((await backends("idle in transaction")).length > 0) return startedAt;
    program.signal("SIGCONT");
    return undefined;
  }, PATIENT);
}

async function expectNothingLost(world: World, load: Load, watchers: readonly Observer[]): Promise<void> {
  await load.stop();
  const history = await world.history();
  expect(load.violations).toEqual([]);
  expect(history.flaws).toEqual([]);
  expect(load.contradictions(history)).toEqual([]);
  expect(await findHalfWritten(world.databaseUrl)).toEqual([]);
  const expected = history.expectedBy();
  await until(() => watchers.every(({ seen }) => seen.length >= expected.length), {
    ...PATIENT,
    what: "watchers have seen everything",
  });
  for (const { seen, refusal } of watchers) {
    expect(refusal).toBeUndefined();
    expect(firstDifference(expected, seen)).toBeUndefined();
  }
}
