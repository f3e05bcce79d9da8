/** Workers in three languages share one kind: the libraries' conformance workers, each a process of its own. */
import { setTimeout as sleep } from "node:timers/promises";
import pLimit from "p-limit";
import { describe, expect, it, onTestFinished } from "vitest";
import { createResourceClient, type ResourceClient } from "../../src/client/index.js";
import { goWorker, type LibraryWorker, pythonWorker, typescriptWorker } from "../conformance/library-workers.js";
import { type AuditRow, auditLeases, overlapsIn, readLeaseAudit } from "../support/lease-audit.js";
import { type Program, startCommand } from "../support/processes.js";
import { hasRedis } from "../support/redis.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

/** Every look is a connection to PostgreSQL. */
const PATIENT = { timeoutMs: 90_000, everyMs: 250 };
const libraries = [typescriptWorker, goWorker, pythonWorker];
const missing = libraries.flatMap((library) => library.missing ?? []);
if (!hasRedis) missing.push("there is no `redis-server` on PATH");
const why = missing.length === 0 ? "" : ` (skipped: ${missing.join("; ")})`;
const key = (name: string) => ({ resourceGroup: "conformance", kind: "task", namespace: "default", name });

describe.skipIf(missing.length > 0)(`workers in three languages${why}`, { timeout: 240_000 }, () => {
  it("share 5,000 resources: each is reconciled once, no two leases are valid at once (I7)", async () => {
    const { world, client } = await open({ replicas: 1 });
    for (const library of libraries) await startWorker(world, library);
    await registered(world, libraries.length);
    await declare(client, names("n", 5_000), { action: "done" });
    await settled(world);
    await expectEachReportedOnce(world, 5_000);
    const taken = (await readLeaseAudit(world)).filter(({ change }) => change === "taken");
    for (const { language } of libraries) {
      const share = taken.filter(({ instance }) => instance === language).length;
      expect(share, `${language}'s share`).toBeGreaterThan(250);
    }
  });

  it("lose what they hold to others in about a second when they are killed, whatever their language (2.9)", async () => {
    const { world, client } = await open({ replicas: 1 });
    const workers = new Map<LibraryWorker, Program>();
    for (const library of libraries) workers.set(library, await startWorker(world, library, 60_000));
    await registered(world, libraries.length);
    const load = trickle(client);
    for (const [library, worker] of workers) {
      const held = await holding(world, client, library);
      await worker.kill();
      const killedAt = Date.now();
      const heirs = await until(async () => heirsOf(await readLeaseAudit(world, "held-by"), held, killedAt), PATIENT);
      // Of the second, half is the grace in which the worker might attach again; a busy machine adds its own.
      for (const { at, instance } of heirs) {
        expect(at - killedAt, `to ${instance} from ${library.language}`).toBeLessThan(3_000);
        expect(instance).not.toBe(library.language);
      }
      await startWorker(world, library, 60_000);
      await registered(world, libraries.length);
    }
    await load.stop();
    await settled(world);
    expect(overlapsIn(await readLeaseAudit(world))).toEqual([]);
  });

  it("change nothing when they wake after their lease, whatever their language (I7, I8)", async () => {
    const { world, client } = await open({ replicas: 1 });
    const workers = new Map<LibraryWorker, Program>();
    for (const library of libraries) workers.set(library, await startWorker(world, library, 3_000));
    await registered(world, libraries.length);
    const paused: string[] = [];
    for (const [library, worker] of workers) {
      const held = await holding(world, client, library);
      paused.push(...held);
      worker.signal("SIGSTOP");
      const stoppedAt = Date.now();
      await until(async () => heirsOf(await readLeaseAudit(world, "held-by"), held, stoppedAt), PATIENT);
      await until(async () => (await observed(world, held)).length === held.length, PATIENT);
      const before = await observed(world, held);
      worker.signal("SIGCONT");
      // Registered again and at work: what it had to say about the old leases has been said.
      await registered(world, libraries.length);
      await until(async () => {
        await declare(client, names(`after-${library.language}-${Date.now()}`, 12), { action: "sleep", ms: 50 });
        await settled(world);
        const rows = await readLeaseAudit(world, `after-${library.language}`);
        return rows.some(({ instance }) => instance === library.language);
      }, PATIENT);
      expect(await observed(world, held)).toEqual(before);
    }
    expect(overlapsIn(await readLeaseAudit(world))).toEqual([]);
    expect(paused.length).toBe(libraries.length);
  });

  it("recover by themselves when the server, PostgreSQL and Redis are restarted under load", async () => {
    const { world, client } = await open({ replicas: 1, redis: true, ownPostgres: true });
    for (const library of libraries) await startWorker(world, library);
    await registered(world, libraries.length);
    const server = world.replica(0);
    const faults = {
      server: async () => {
        await server.program.kill();
        await server.start();
      },
      postgres: () => world.postgres.restart("immediate"),
      redis: async () => {
        await world.redis.kill();
        await world.redis.start();
      },
    };
    for (const [what, restart] of Object.entries(faults)) {
      const declared = declare(client, names(what, 150), { action: "sleep", ms: 20 });
      await until(
        async () => (await readLeaseAudit(world)).filter(({ name }) => name.startsWith(what)).length > 20,
        PATIENT,
      );
      await restart();
      await declared;
    }
    await settled(world);
    await expectEachReportedOnce(world, 450);
    // None was started again, and each of them still works.
    await registered(world, libraries.length);
    await declare(client, names("last", 60), { action: "sleep", ms: 100 });
    await settled(world);
    const last = (await readLeaseAudit(world, "last")).filter(({ change }) => change === "taken");
    expect(new Set(last.map(({ instance }) => instance)).size).toBe(libraries.length);
  });
});

async function open(options: Parameters<typeof World.open>[0]): Promise<{ world: World; client: ResourceClient }> {
  const world = await World.open(options);
  await auditLeases(world);
  const client = createResourceClient(world.replica(0).url);
  onTestFinished(() => client.close());
  return { world, client };
}

/** Its instance is called as its language, so that the audit tells who had what. */
async function startWorker(world: World, library: LibraryWorker, leaseDurationMs?: number): Promise<Program> {
  const program = startCommand(await library.command(), {
    HOME: process.env.HOME,
    RECONCILE_SERVER: world.replica(0).url,
    RECONCILE_INSTANCE: library.language,
    ...(leaseDurationMs !== undefined && { RECONCILE_LEASE_DURATION_MS: String(leaseDurationMs) }),
  });
  onTestFinished(() => program.kill());
  return program;
}

async function registered(world: World, count: number): Promise<void> {
  const live = () => world.sql("SELECT 1 FROM sessions WHERE expires_at > now() AND attachment IS NOT NULL");
  await until(async () => (await live()).length === count, { ...PATIENT, what: `${count} workers are attached` });
}

function names(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
}

async function declare(client: ResourceClient, all: readonly string[], spec: object): Promise<void> {
  const limit = pLimit(64);
  await Promise.all(all.map((name) => limit(() => client.apply({ key: key(name), spec }))));
}

/** Nothing is due, nothing is held; of those resources whose names begin so. */
async function settled(world: World, prefix = ""): Promise<void> {
  const columns = "name, due_at, reason, lease_session_id";
  const isEmpty = async () => {
    const queued = await world.sql(`SELECT ${columns} FROM work_items WHERE name LIKE '${prefix}%' LIMIT 3`);
    if (queued.length > 0) throw new Error(`for example ${JSON.stringify(queued)}`);
    return true;
  };
  await until(isEmpty, { ...PATIENT, what: "the queue is empty" });
}

/** Makes this worker hold a resource whose pass lasts a while, and returns its name: a matter of turns. */
async function holding(world: World, client: ResourceClient, library: LibraryWorker): Promise<readonly string[]> {
  for (let round = 0; ; round++) {
    const prefix = `held-by-${library.language}-${round}`;
    await declare(client, [prefix], { action: "sleep", ms: 1_500 });
    const ofRound = async () => {
      const taken = (await readLeaseAudit(world, prefix)).filter(({ change }) => change === "taken");
      return taken.length > 0 ? taken : undefined;
    };
    const own = (await until(ofRound, PATIENT)).find(({ instance }) => instance === library.language);
    if (own !== undefined) return [own.name];
    await settled(world, prefix);
  }
}

/** Who took all of these after a moment; undefined while somebody has not. */
function heirsOf(rows: readonly AuditRow[], held: readonly string[], since: number): readonly AuditRow[] | undefined {
  const heirs = held.flatMap(
    (name) => rows.find((row) => row.name === name && row.change === "taken" && row.at > since) ?? [],
  );
  return heirs.length === held.length ? heirs : undefined;
}

/** The state of those of the resources that are reconciled. */
function observed(world: World, all: readonly string[]) {
  const list = all.map((name) => `'${name}'`).join(", ");
  const columns = "name, revision, status::text AS status, observed_generation";
  return world.sql(
    `SELECT ${columns} FROM resources WHERE name IN (${list}) AND observed_generation = generation ORDER BY name`,
  );
}

/** Every resource was created by one write and reconciled by one accepted report. */
async function expectEachReportedOnce(world: World, count: number): Promise<void> {
  expect(overlapsIn(await readLeaseAudit(world))).toEqual([]);
  const reconciled = "SELECT 1 FROM resources WHERE observed_generation = generation AND status IS NOT NULL";
  expect((await world.sql(reconciled)).length).toBe(count);
  const odd = await world.sql(
    "SELECT name, count(*) FROM events WHERE (meta::json ->> 'observed')::int > 0 GROUP BY name HAVING count(*) <> 1",
  );
  expect(odd).toEqual([]);
}

/** A short task now and then, until it is stopped. */
function trickle(client: ResourceClient): { stop(): Promise<void> } {
  let isStopped = false;
  const finished = (async () => {
    for (let i = 0; !isStopped; i++) {
      await declare(client, [`load-${i}`], { action: "sleep", ms: 20 });
      await sleep(20);
    }
  })();
  return {
    stop: async () => {
      isStopped = true;
      await finished;
    },
  };
}
