import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pino } from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { createResourceClient, isAlreadyExists, isConflict, isNotFound } from "../../src/client/index.js";
import { defineReconciler, done, runControlLoop } from "../../src/controlloop/index.js";
import { hasRedis } from "../support/redis.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

const WRITES = 400;

describe.skipIf(!hasRedis)("two replicas that are well, under load", () => {
  it("make PostgreSQL log no error: a batch decided on a stale end of the log did, and a taken name", {
    timeout: 60_000,
  }, async () => {
    const world = await World.open({ redis: true, ownPostgres: true, replicas: 2 });
    const watcher = world.observe({ protocol: "sse", sendInitialState: true });
    await until(() => watcher.isPlaced);
    const loop = runControlLoop({
      serverUrl: world.urls[0] ?? "",
      logger: pino({ level: "silent" }),
      reconcilers: [
        defineReconciler<number, { seen: number }>({
          name: "errands",
          resourceGroup: "work",
          kind: "errand",
          finalizer: "work/errand",
          reconcile: async ({ spec }) => done({ seen: spec }),
        }),
      ],
    });
    onTestFinished(() => loop.stop());
    const load = world.load({ lanes: 16 });
    await Promise.all(world.urls.map((url) => fightForNames(url)));
    await until(() => load.acknowledged.length >= WRITES, { what: "the load has written" });
    await load.stop();
    await until(async () => (await world.sql("SELECT FROM work_items WHERE kind = 'errand'")).length === 0, {
      what: "all passes are over",
    });
    expect(load.violations).toEqual([]);
    const log = readFileSync(join(dirname(world.postgres.dataDir), "server.log"), "utf8");
    expect(log.split("\n").filter((line) => /\b(ERROR|FATAL|PANIC):/.test(line))).toEqual([]);
  });
});

/** Creates what the other replica creates too, writes with what was read before, applies many at once, and deletes. */
async function fightForNames(url: string): Promise<void> {
  const client = createResourceClient(url);
  onTestFinished(() => client.close());
  const lane = async (first: number) => {
    for (let n = first; n < 80; n += 8) {
      const key = { resourceGroup: "work", kind: "errand", namespace: "default", name: `e${n}` };
      await client.create({ key, spec: n }).catch(unless(isAlreadyExists));
      const read = await client.get<number, unknown>(key);
      if (read !== undefined) {
        const { revision, uid } = read;
        await client
          .update({ key, spec: n + 1 }, { revision, uid })
          .catch(unless((error) => isConflict(error) || isNotFound(error)));
      }
      await client.apply({ key, spec: n + 2 });
      if (n % 5 === 0) await client.delete(key).catch(unless(isNotFound));
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, first) => lane(first)));
}

function unless(isExpected: (error: unknown) => boolean) {
  return (error: unknown) => {
    if (!isExpected(error)) throw error;
  };
}
