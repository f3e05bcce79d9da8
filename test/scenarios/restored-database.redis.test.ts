import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { firstDifference } from "../support/history.js";
import { expectForeign, expectTrueCache, tokenOf, writeSome } from "../support/lineage.js";
import type { Observer } from "../support/observer.js";
import type { ServerProcess } from "../support/processes.js";
import { hasRedis } from "../support/redis.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

const PATIENT = { timeoutMs: 30_000 };

describe.skipIf(!hasRedis)("a database put back to an older copy", { timeout: 90_000 }, () => {
  it.each([
    { redis: "untouched", servers: "left running" },
    { redis: "flushed", servers: "left running" },
    { redis: "untouched", servers: "restarted" },
    { redis: "untouched", servers: "one paused" },
  ])(
    "with Redis $redis and the servers $servers shows nobody a wrong body, and refuses the tokens of the lost future (I4)",
    async ({ redis, servers }) => {
      const world = await World.open({ redis: true, ownPostgres: true });
      const { postgres } = world;
      const [a, b] = world.urls as [string, string];
      const awake = servers === "one paused" ? [b] : [b, a];
      const copy = `${postgres.dataDir}.copy`;

      await writeSome(world, { name: "first" }, 60);
      const early = await tokenOf(world, a);
      const earlyRevision = (await world.history()).length;
      await writeSome(world, { name: "second" }, 60);
      await postgres.stop();
      copyDirectory(postgres.dataDir, copy);
      await postgres.start();

      // The future that will be lost.
      const witnesses = [
        world.observe({ protocol: "sse", urls: [a], token: early }),
        world.observe({ protocol: "grpc", urls: [b], token: early }),
        world.observe({ protocol: "connect", urls: [b, a], sendInitialState: true }),
      ];
      await writeSome(world, { name: "lost" }, 120);
      const lost = await world.history();
      await until(() => witnesses.every(({ revision }) => revision === lost.length), {
        ...PATIENT,
        what: "the witnesses saw the future",
      });
      const late = witnesses[1]?.token ?? "";

      if (servers === "restarted") await Promise.all(world.replicas.map(stop));
      if (servers === "one paused") world.replica(0).program.signal("SIGSTOP");
      await postgres.stop();
      rmSync(postgres.dataDir, { recursive: true });
      copyDirectory(copy, postgres.dataDir);
      if (redis === "flushed") await world.redis.client().flushall();
      await postgres.start();
      if (servers === "restarted") await Promise.all(world.replicas.map((replica) => replica.start()));

      // To open a watch is to ask PostgreSQL for its history. Where nobody asks, the new writes alone have to tell.
      const successors: Observer[] = [];
      const openSuccessors = async () => {
        for (const url of awake) await expectForeign(world, url, late);
        successors.push(
          world.observe({ protocol: "connect", urls: awake, token: early }),
          world.observe({ protocol: "sse", urls: awake.toReversed(), token: early }),
          world.observe({ protocol: "sse", urls: awake, sendInitialState: true }),
          world.observe({ protocol: "grpc", urls: awake.toReversed(), sendInitialState: true }),
        );
      };
      if (redis === "flushed") await openSuccessors();
      await writeSome(world, { name: "new", urls: awake }, 200);
      // The lost numbers are others' numbers by now.
      if (redis === "untouched") await openSuccessors();
      if (servers === "one paused") world.replica(0).program.signal("SIGCONT");
      await writeSome(world, { name: "newer", urls: awake }, 60);
      for (const url of [a, b]) await expectForeign(world, url, late);
      const truth = await world.history();
      expect(truth.flaws).toEqual([]);
      expect(truth.length).toBeGreaterThan(lost.length);

      const hasAll = (watcher: Observer) => watcher.revision === truth.length;
      await until(() => successors.every(hasAll), { ...PATIENT, what: "fresh watchers see the new truth" });
      for (const { seen, initial, refusal } of successors) {
        expect(refusal).toBeUndefined();
        const at = initial.length === 0 ? earlyRevision : (seen[0]?.revision ?? 0) - 1;
        if (initial.length > 0) expect(new Map(initial.map(({ uid, body }) => [uid, body]))).toEqual(truth.stateAt(at));
        expect(firstDifference(truth.expectedBy({}, at), seen)).toBeUndefined();
      }
      await until(() => witnesses.every(({ refusal }) => refusal), { ...PATIENT, what: "open watches end" });
      for (const { refusal, seen, initial } of witnesses) {
        expect(refusal?.reason).toMatch(/^(LINEAGE_LOST|FOREIGN_TOKEN)$/);
        const at = initial.length === 0 ? earlyRevision : (seen[0]?.revision ?? 0) - 1;
        expect(firstDifference(lost.expectedBy({}, at), seen)).toBeUndefined();
      }
      for (const url of [a, b]) await expectTrueCache(url, [...lost.events, ...truth.events]);
      await until(async () => (await world.streamEnd()) === truth.length, {
        ...PATIENT,
        what: "the stream is of the new lineage",
      });
    },
  );
});

async function stop({ program }: ServerProcess): Promise<void> {
  program.signal("SIGTERM");
  await program.exited;
}

/** With owners and modes: PostgreSQL runs as another user than root. */
function copyDirectory(from: string, to: string): void {
  execFileSync("cp", ["-a", from, to]);
}
