import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { runChecked } from "../support/checker/checked-run.js";
import type { ContendedLoad } from "../support/checker/contended-load.js";
import { startPostgres } from "../support/postgres.js";
import { runDirectory } from "../support/run-directory.js";
import { chooseSeed } from "../support/seed.js";
import { canMount, mountSmallDisk } from "../support/small-disk.js";
import { until } from "../support/until.js";
import { World } from "../support/world.js";

const PATIENT = { timeoutMs: 60_000 };
/** Room for an empty cluster, its WAL where that lies here too, and some more. */
const DISK_MB = 320;
const WAL = { max_wal_size: "64MB", min_wal_size: "32MB" };

describe.skipIf(!canMount)("a full disk (needs root, to mount one)", () => {
  it.for([
    { wal: "elsewhere", words: "but not under the WAL" },
    { wal: "here", words: "and under the WAL, which ends PostgreSQL" },
  ] as const)(
    "under the data, $words; writes are refused as UNAVAILABLE and stored nowhere, then go on",
    async ({ wal }, { task }) => {
      const seed = chooseSeed();
      task.meta.seed = seed;
      const disk = mountSmallDisk(DISK_MB);
      onTestFinished(() => disk.unmount());
      const postgres = await startPostgres(WAL, disk.directory);
      if (wal === "elsewhere") {
        await postgres.stop();
        const place = join(mkdtempSync(join(runDirectory(), "wal-")), "pg_wal");
        execFileSync("chmod", ["711", join(place, "..")]); // PostgreSQL's own user must reach it.
        execFileSync("cp", ["-a", join(postgres.dataDir, "pg_wal"), place]);
        execFileSync("rm", ["-r", join(postgres.dataDir, "pg_wal")]);
        execFileSync("ln", ["-s", place, join(postgres.dataDir, "pg_wal")]);
        await postgres.start();
      }
      // It lies on the disk, and goes with it.
      const onDisk = { ...postgres, remove: () => postgres.stop("immediate") };
      const world = await World.open({ redis: true, postgres: onDisk });
      const alsoDo = async (load: ContendedLoad) => {
        disk.fill();
        await until(() => refusals(load) >= 20, { ...PATIENT, what: "writes are refused" });
        for (const { program } of world.replicas) expect(program.hasEnded).toBe(false);
        disk.free();
        if (wal === "here") await postgres.restart("immediate");
        const target = load.writesDone + 100;
        await until(() => load.writesDone > target, { ...PATIENT, what: "writes go on" });
      };
      const { operations, violations } = await runChecked(world, { seed, plan: [], stormMs: 0, alsoDo });
      task.meta.operations = operations;
      expect(violations.slice(0, 20), `RECONCILE_SEED=${seed}`).toEqual([]);
    },
  );
});

function refusals({ operations }: ContendedLoad): number {
  return operations.filter(
    ({ type, ...rest }) =>
      type === "write" && "outcome" in rest && "code" in rest.outcome && rest.outcome.code === "UNAVAILABLE",
  ).length;
}
