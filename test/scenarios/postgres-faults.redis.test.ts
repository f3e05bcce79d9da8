import { pino } from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { connect } from "../../src/client/connect.js";
import { ApiError, type ClientServerStatus, createResourceClient } from "../../src/client/index.js";
import { defineReconciler, done, runControlLoop } from "../../src/controlloop/index.js";
import { findHalfWritten, firstDifference } from "../support/history.js";
import { hasRedis } from "../support/redis.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

const PATIENT = { timeoutMs: 30_000 };

describe.skipIf(!hasRedis)("PostgreSQL", { timeout: 90_000 }, () => {
  it.each(["fast", "immediate"] as const)(
    "stopped (%s) and started under load: UNAVAILABLE and not ready meanwhile, then all goes on and nothing acknowledged is lost (I2, I3, I10)",
    async (mode) => {
      const world = await World.open({ redis: true, ownPostgres: true });
      const watchers = [
        ...(["sse", "grpc", "connect"] as const).map((protocol) => world.observe({ protocol })),
        world.observe({ protocol: "connect", urls: [...world.urls].reverse(), cutEvery: 80 }),
      ];
      await until(() => watchers.every(({ isPlaced }) => isPlaced));
      const worker = startWorker(world);
      const load = world.load({ lanes: 12 });
      await worker.declare("before");
      await until(() => load.acknowledged.length > 120 && worker.passes.includes("before"), PATIENT);

      await world.postgres.stop(mode);
      // Probes and calls share no connection: each finds out by itself.
      for (const url of world.urls) {
        await until(async () => (await fetch(`${url}/health/ready`)).status === 503, PATIENT);
        expect((await fetch(`${url}/health/live`)).status).toBe(200);
        expect(await refusalOf(url)).toMatchObject({ code: "UNAVAILABLE", reason: "STORE_UNAVAILABLE" });
        const rest = await fetch(`${url}/api/v1/resources`);
        expect([rest.status, rest.headers.has("retry-after")]).toEqual([503, true]);
        const status = await statusOf(url);
        expect(status).toMatchObject({
          postgres: { state: "FAILING" },
          redis: { state: "OK" },
          storeSchema: 0,
          logs: [],
        });
        expect(status.postgres.message).toContain("DATABASE_URL");
      }
      const failed = () => [...load.failures.values()].reduce((sum, count) => sum + count, 0);
      const before = failed();
      await until(() => failed() > before + 20, { ...PATIENT, what: "writers are refused" });
      const written = load.acknowledged.length;
      await world.postgres.start();

      await until(() => load.acknowledged.length > written + 200, { ...PATIENT, what: "writes go on" });
      for (const url of world.urls)
        await until(async () => (await fetch(`${url}/health/ready`)).status === 200, PATIENT);
      await worker.declare("after");
      await until(() => worker.passes.includes("after"), { ...PATIENT, what: "the worker goes on" });
      await worker.stop();
      await load.stop();
      const history = await world.history();
      expect(load.violations).toEqual([]);
      // A COMMIT whose answer was lost is looked up for 10 s; only past that its outcome is said to be unknown.
      expect(
        [...load.failures.keys()].filter((reason) => !["STORE_UNAVAILABLE", "DEADLINE_EXCEEDED"].includes(reason)),
      ).toEqual([]);
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
    },
  );
});

/** What an operator is told. */
async function statusOf(url: string): Promise<ClientServerStatus> {
  const client = createResourceClient(url);
  onTestFinished(() => client.close());
  return client.serverStatus();
}

/** What a strong read is answered. */
async function refusalOf(url: string): Promise<ApiError> {
  const connection = connect(url);
  onTestFinished(() => connection.close());
  const key = { resourceGroup: "work", kind: "job", namespace: "default", name: "before" };
  return connection.resources.getResource({ key }).then(
    () => Promise.reject(new Error("was answered although PostgreSQL is away")),
    (error: unknown) => ApiError.from(error),
  );
}

/** A control loop at the first replica, and a way to give it work. */
function startWorker(world: World) {
  const { url } = world.replica(0);
  const passes: string[] = [];
  const reconciler = defineReconciler({
    name: "job-reconciler",
    resourceGroup: "work",
    kind: "job",
    reconcile({ key }) {
      passes.push(key.name);
      return done({ by: "worker" });
    },
  });
  const loop = runControlLoop({ serverUrl: url, reconcilers: [reconciler], logger: pino({ level: "silent" }) });
  onTestFinished(() => loop.stop());
  const client = createResourceClient(url);
  onTestFinished(() => client.close());
  const declare = (name: string) =>
    client.apply({ key: { resourceGroup: "work", kind: "job", namespace: "default", name }, spec: 1 });
  return { passes, declare, stop: () => loop.stop() };
}
