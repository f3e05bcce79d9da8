import { expect, it, onTestFinished } from "vitest";
import { firstDifference } from "../support/history.js";
import { expectForeign, expectTrueCache, tokenOf, writeSome } from "../support/lineage.js";
import { startPostgres } from "../support/postgres.js";
import { PRIMARY_SETTINGS, startStandby } from "../support/standby.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

const PATIENT = { timeoutMs: 60_000 };

it("a failover to a standby that lags loses what it lacks, refuses its tokens and reinterprets none (I4, I10)", async ({
  task,
}) => {
  const primary = await startPostgres(PRIMARY_SETTINGS);
  const world = await World.open({ redis: true, postgres: primary, proxied: true });
  const standby = await startStandby(primary);
  onTestFinished(() => standby.remove());
  const [a, b] = world.urls as [string, string];
  await writeSome(world, { name: "kept" }, 80);
  const early = await tokenOf(world, a);
  const kept = await world.history();
  await standby.catchUp();
  await standby.leaveBehind();

  const witnesses = [
    world.observe({ protocol: "sse", urls: [a], token: early }),
    world.observe({ protocol: "grpc", urls: [b], token: early }),
  ];
  await writeSome(world, { name: "lost" }, 120);
  const lost = await world.history();
  await until(() => witnesses.every(({ revision }) => revision === lost.length), {
    ...PATIENT,
    what: "the witnesses saw what will be lost",
  });
  const late = witnesses[1]?.token ?? "";

  await primary.stop("immediate");
  await standby.promote();
  world.failOver(standby.url);
  expect((await world.history()).length).toBe(kept.length);
  await writeSome(world, { name: "new" }, 200);
  // The lost numbers are others' numbers by now.
  for (const url of [a, b]) await expectForeign(world, url, late);
  await until(() => witnesses.every(({ refusal }) => refusal), { ...PATIENT, what: "open watches end" });
  const successor = world.observe({ protocol: "connect", token: early });
  const truth = await world.history();
  task.meta.operations = lost.length + truth.length;
  expect(truth.flaws).toEqual([]);
  await until(() => successor.revision === truth.length, { ...PATIENT, what: "a fresh watcher sees the new truth" });
  expect(firstDifference(truth.expectedBy({}, kept.length), successor.seen)).toBeUndefined();
  for (const { refusal, seen } of witnesses) {
    expect(refusal?.reason).toMatch(/^(LINEAGE_LOST|FOREIGN_TOKEN)$/);
    expect(firstDifference(lost.expectedBy({}, kept.length), seen)).toBeUndefined();
  }
  for (const url of [a, b]) await expectTrueCache(url, [...lost.events, ...truth.events]);
});
