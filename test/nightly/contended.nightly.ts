import { describe, expect, it, type TestContext } from "vitest";
import { runChecked } from "../support/checker/checked-run.js";
import { FAULT_NAMES, type FaultName } from "../support/checker/faults.js";
import { chooseSeed, Random } from "../support/seed.js";
import { World } from "../support/world.js";

/** How many seeds the long plan is run with; one when `RECONCILE_SEED` names it. */
const ROUNDS = process.env.RECONCILE_SEED ? 1 : Number(process.env.NIGHTLY_ROUNDS ?? 8);
const FAULTS = 25;
const SHORT_STORM_MS = 2_000;
const LONG_STORM_MS = 30_000;

const first = chooseSeed();

describe("contended calls", () => {
  it.for(Array.from({ length: ROUNDS }, (_, round) => (first + round) % 2 ** 31))(
    "under all faults in random order",
    async (seed, context) => {
      const random = new Random(seed, -1);
      const plan = Array.from({ length: FAULTS }, () => random.pick(FAULT_NAMES));
      await run(context, seed, plan, SHORT_STORM_MS);
    },
  );

  it.for(["terminate storm", "cancel storm"] as const)("under a %s of 30 s", async (storm, context) => {
    await run(context, first, [storm], LONG_STORM_MS);
  });
});

async function run({ task }: TestContext, seed: number, plan: readonly FaultName[], stormMs: number): Promise<void> {
  task.meta.seed = seed;
  const world = await World.open({ redis: true, ownPostgres: true });
  const { operations, violations } = await runChecked(world, { seed, plan, stormMs });
  task.meta.operations = operations;
  expect(violations.slice(0, 20), `RECONCILE_SEED=${seed}, faults: ${plan.join(", ")}`).toEqual([]);
}
