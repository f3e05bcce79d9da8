import { describe, expect, it } from "vitest";
import { runChecked } from "../support/checker/checked-run.js";
import type { ContendedLoad } from "../support/checker/contended-load.js";
import { hasFaketime, startSteppedPostgres } from "../support/raw-postgres.js";
import { chooseSeed, Random } from "../support/seed.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

const MINUTE_MS = 60_000;
const WRITES_BETWEEN_STEPS = 80;

describe.skipIf(!hasFaketime)(
  "PostgreSQL's clock, set by steps from 10 minutes back to 2 hours ahead (needs faketime)",
  () => {
    it("reorders and loses nothing; leases stay exclusive, and what came due meanwhile is reconciled (I2, I7, I8)", async ({
      task,
    }) => {
      const seed = chooseSeed();
      task.meta.seed = seed;
      const postgres = await startSteppedPostgres();
      const world = await World.open({ redis: true, postgres });
      const steps = [...new Random(seed, -3).shuffled([-10, -1, 2, 30, 120]), 0];
      const alsoDo = async (load: ContendedLoad) => {
        for (const minutes of steps) {
          postgres.setClockAhead(minutes * MINUTE_MS);
          const [row] = await world.sql<{ ahead: number }>(
            `SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 - ${Date.now()} AS ahead`,
          );
          expect(Math.abs((row?.ahead ?? 0) - minutes * MINUTE_MS)).toBeLessThan(MINUTE_MS / 2);
          const target = load.writesDone + WRITES_BETWEEN_STEPS;
          await until(() => load.writesDone > target, { timeoutMs: MINUTE_MS, what: `writes go on at ${minutes} min` });
        }
      };
      const run = await runChecked(world, { seed, plan: [], stormMs: 0, alsoDo, isClockStepped: true });
      task.meta.operations = run.operations;
      expect(run.violations.slice(0, 20), `RECONCILE_SEED=${seed}, minutes ahead: ${steps}`).toEqual([]);
      const said = world.replicas.flatMap(({ program }) => program.lines.map(({ msg }) => String(msg)));
      expect(said.filter((msg) => /clock/.test(msg))).not.toEqual([]);
    });
  },
);
