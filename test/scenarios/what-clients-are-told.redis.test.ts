import { describe, expect, it } from "vitest";
import { runChecked } from "../support/checker/checked-run.js";
import type { FaultName } from "../support/checker/faults.js";
import { hasRedis } from "../support/redis.js";
import { chooseSeed, Random } from "../support/seed.js";
import { World } from "../support/world.js";

const STORM_MS = 1_000;

describe.skipIf(!hasRedis)("clients that contend for the same keys through two replicas", () => {
  it("are told the truth in real time, whatever is killed, paused, flushed, restarted, terminated and cancelled (I2, I3, I7, I8, I10, I12)", {
    timeout: 120_000,
  }, async () => {
    const seed = chooseSeed();
    const plan = choosePlan(new Random(seed, -1));
    const world = await World.open({ redis: true, ownPostgres: true });
    const { violations } = await runChecked(world, { seed, plan, stormMs: STORM_MS });
    expect(violations.slice(0, 20), `RECONCILE_SEED=${seed}, faults: ${plan.join(", ")}`).toEqual([]);
  });
});

/** One of each kind, in an order of its own; `npm run nightly` has all of them, and for longer. */
function choosePlan(random: Random): readonly FaultName[] {
  return random.shuffled<FaultName>([
    random.pick(["kill a replica", "stop a replica"]),
    "pause a replica",
    random.pick(["flush Redis", "Redis away", "pause Redis"]),
    random.pick(["restart PostgreSQL", "crash PostgreSQL"]),
    "terminate storm",
    "cancel storm",
  ]);
}
