import { expect, it } from "vitest";
import { runChecked } from "../support/checker/checked-run.js";
import { chooseSeed } from "../support/seed.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

it("replicas that are started while PostgreSQL is away wait for it, live and not ready, and then work", async ({
  task,
}) => {
  const seed = chooseSeed();
  task.meta.seed = seed;
  const world = await World.open({ redis: true, ownPostgres: true });
  await Promise.all(world.replicas.map(({ program }) => program.kill()));
  await world.postgres.stop();
  const starting = world.replicas.map((replica) => replica.start());
  for (const url of world.urls) {
    const ask = (path: string) => fetch(`${url}/health/${path}`);
    await until(async () => (await ask("live")).status === 200, { timeoutMs: 20_000, what: "it is live" });
    const ready = await ask("ready");
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringMatching(/PostgreSQL/)]);
  }
  await world.postgres.start();
  await Promise.all(starting);
  const { operations, violations } = await runChecked(world, { seed, plan: ["flush Redis"], stormMs: 0 });
  task.meta.operations = operations;
  expect(violations, `RECONCILE_SEED=${seed}`).toEqual([]);
});
