import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { createResourceClient, isNotFound, isUnavailable } from "../../src/client/index.js";
import { defineReconciler, done, requeueAfter, runControlLoop } from "../../src/controlloop/index.js";
import { startBalancer } from "../support/balancer.js";
import { findHalfWritten, firstDifference, type HistoryFilter } from "../support/history.js";
import { KINDS, type Load, SHARDS, TIERS } from "../support/load.js";
import { hasRedis } from "../support/redis.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

/** More of them make a soak: `SCENARIO_FAULTS=200 npx vitest run test/scenarios/everything`. */
const FAULTS = Number(process.env.SCENARIO_FAULTS ?? 14);
const WRITES_BETWEEN_FAULTS = 80;
const PATIENT = { timeoutMs: 60_000 };

describe.skipIf(!hasRedis)("three replicas, while PostgreSQL, Redis and they themselves fail in random order", () => {
  it("lose, double, reorder and half-write nothing, hold no resource twice and leave nothing behind (I1, I2, I3, I5, I7, I10)", {
    timeout: 60_000 + FAULTS * 15_000,
  }, async () => {
    const world = await World.open({ redis: true, ownPostgres: true, replicas: 3, logCount: 2 });
    const [a, b, c] = world.urls as [string, string, string];
    const filters: readonly HistoryFilter[] = [
      {},
      {},
      {},
      { kind: KINDS[0] ?? "", tier: TIERS[0] ?? "" },
      { shard: SHARDS[1] ?? "" },
    ];
    const watchers = [
      world.observe({ protocol: "sse", urls: [a] }),
      world.observe({ protocol: "grpc", urls: [c, b, a], cutEvery: 160 }),
      world.observe({ protocol: "sse", cutEvery: 80 }),
      world.observe({ protocol: "connect", filter: filters[3] ?? {}, cutEvery: 50 }),
      world.observe({ protocol: "sse", filter: filters[4] ?? {}, cutEvery: 50 }),
    ];
    await until(() => watchers.every(({ isPlaced }) => isPlaced), PATIENT);
    const load = world.load({ lanes: 24, largeEvery: 150, timeoutMs: 4_000 });
    const workers = await startWorkers(world);
    const faults = await breakThings(world, load);
    await load.stop();
    await workers.settle();

    const history = await world.history();
    const words = `after ${faults.join(", ")}`;
    expect(workers.violations, words).toEqual([]);
    expect(load.violations, words).toEqual([]);
    expect(history.flaws, words).toEqual([]);
    expect(load.contradictions(history), words).toEqual([]);
    expect(await findHalfWritten(world.databaseUrl), words).toEqual([]);
    for (const [i, watcher] of watchers.entries()) {
      const expected = history.expectedBy(filters[i]);
      await until(() => watcher.seen.length >= expected.length || watcher.refusal, {
        ...PATIENT,
        what: `watcher ${i} has seen everything`,
      });
      expect(watcher.refusal, words).toBeUndefined();
      expect(firstDifference(expected, watcher.seen), words).toBeUndefined();
    }
    const errors = world.replicas.flatMap(({ program }) => program.lines.filter(({ level }) => level === "error"));
    expect([errors, world.replicas.flatMap(({ program }) => program.noise)], words).toEqual([[], []]);
  });
});

/** Two control loops of one reconciler behind balancers, jobs that are declared and deleted all the time, and what they made. */
async function startWorkers(world: World) {
  const balancers = [await startBalancer(world.urls), await startBalancer(world.urls.toReversed())];
  const held = new Set<string>();
  const made = new Map<string, number>();
  const visited = new Set<number>();
  const violations: string[] = [];
  const reconciler = defineReconciler<number, { made: number }>({
    name: "job-reconciler",
    resourceGroup: "work",
    kind: "job",
    finalizer: "work/made",
    leaseDurationMs: 3_000,
    backoffMaxMs: 500,
    async reconcile({ key: { name }, spec }, { signal, isDeleting, attempt }) {
      if (held.has(name)) violations.push(`${name} was given away while somebody held it`);
      held.add(name);
      try {
        await new Promise(setImmediate);
        if (signal.aborted) return done();
        if (isDeleting) made.delete(name);
        else made.set(name, spec);
        if (spec % 7 === 0 && attempt < 3) throw new Error("unlucky");
        const isFirstVisit = !visited.has(spec);
        visited.add(spec);
        return spec % 5 === 0 && isFirstVisit ? requeueAfter(30) : done({ made: spec });
      } finally {
        held.delete(name);
      }
    },
  });
  const logger = pino({ level: "silent" });
  const loops = balancers.map(({ url }) =>
    runControlLoop({ serverUrl: url, reconcilers: [reconciler], logger, graceMs: 1_000 }),
  );
  const client = createResourceClient(balancers[0]?.url ?? "");
  const stopping = new AbortController();
  const declaring = (async () => {
    for (let i = 1; !stopping.signal.aborted; i++) {
      const key = { resourceGroup: "work", kind: "job", namespace: "default", name: `j${i % 30}` };
      const write = i % 4 === 0 ? client.delete(key) : client.apply({ key, spec: i });
      await write.catch((error: unknown) => {
        if (!isNotFound(error) && !isUnavailable(error)) violations.push(`job ${i}: ${error}`);
      });
      await new Promise(setImmediate);
    }
  })();
  onTestFinished(async () => {
    stopping.abort();
    await declaring;
    client.close();
    await Promise.all(loops.map((loop) => loop.stop()));
    await Promise.all(balancers.map((balancer) => balancer.close()));
  });
  return {
    violations,
    /** Declares nothing more, and waits until what is made is what is declared. */
    async settle(): Promise<void> {
      stopping.abort();
      await declaring;
      await until(async () => (await world.sql("SELECT 1 FROM work_items WHERE kind = 'job'")).length === 0, {
        ...PATIENT,
        what: "all jobs are done",
      });
      const rows = await world.sql<{ name: string; spec: number }>(
        "SELECT name, spec::text::integer AS spec FROM resources WHERE kind = 'job'",
      );
      const declared = new Map(rows.map(({ name, spec }) => [name, spec]));
      await until(() => JSON.stringify([...made].sort()) === JSON.stringify([...declared].sort()), {
        what: "made is what is declared",
      });
    },
  };
}

/** One random fault after the other, each while writes go on; returns their names in order. */
async function breakThings(world: World, load: Load): Promise<readonly string[]> {
  const { redis, postgres } = world;
  const control = redis.client();
  const dump = join(redis.dataDir, "dump.rdb");
  const random = <T>(of: readonly T[]): T => of[Math.floor(Math.random() * of.length)] as T; // of a list that is not empty
  const written = (count: number) => {
    const target = load.acknowledged.length + count;
    return until(() => load.acknowledged.length > target, { ...PATIENT, what: "writes go on" });
  };
  /** Until writers have met it, or it turned out not to matter to them. */
  const felt = () => {
    const [failed, target] = [load.failures.size, load.acknowledged.length + WRITES_BETWEEN_FAULTS];
    return until(() => load.failures.size > failed || load.acknowledged.length > target, PATIENT).catch(() => {});
  };
  /** Our own connection may still feel the fault before. */
  const orWorse = () => {};
  const faults: Readonly<Record<string, () => Promise<unknown>>> = {
    "flush Redis": () => control.flushall().catch(orWorse),
    "save Redis": () => control.save().then(() => copyFileSync(dump, `${dump}.old`), orWorse),
    "restart Redis from an old dump": async () => {
      await redis.kill();
      await written(WRITES_BETWEEN_FAULTS);
      if (existsSync(`${dump}.old`)) copyFileSync(`${dump}.old`, dump);
      await redis.start();
    },
    "silence Redis": async () => {
      const pid = Number(readFileSync(join(redis.dataDir, "redis.pid"), "utf8"));
      process.kill(pid, "SIGSTOP");
      await written(WRITES_BETWEEN_FAULTS);
      process.kill(pid, "SIGCONT");
    },
    "cut Redis connections": () => control.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").catch(orWorse),
    "kill a replica": async () => {
      const replica = random(world.replicas);
      await replica.program.kill();
      await felt();
      await replica.start();
    },
    "stop a replica": async () => {
      const replica = random(world.replicas);
      replica.program.signal("SIGTERM");
      expect(await replica.program.exited).toBe(0);
      await replica.start();
    },
    "pause a replica": async () => {
      const { program } = random(world.replicas);
      program.signal("SIGSTOP");
      await written(WRITES_BETWEEN_FAULTS);
      program.signal("SIGCONT");
    },
    "restart PostgreSQL": () => postgres.restart("fast"),
    "crash PostgreSQL": () => postgres.restart("immediate"),
    "cut PostgreSQL connections": () =>
      world.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'replica-%' AND random() < 0.5",
      ),
  };
  const done: string[] = [];
  while (done.length < FAULTS) {
    const name = random(Object.keys(faults));
    done.push(name);
    await faults[name]?.();
    await written(WRITES_BETWEEN_FAULTS);
  }
  return done;
}
