/** What a checked load goes through: each fault while calls go on, and noted with its time. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pace } from "node:timers/promises";
import pg from "pg";
import type { Random } from "../seed.js";
import { until } from "../until.js";
import type { World } from "../world.js";
import type { ContendedLoad } from "./contended-load.js";
import type { FaultWindow } from "./operation.js";

const PATIENT = { timeoutMs: 60_000 };
/** Writes that have to come through at other replicas, or again, before a fault ends or the next begins. */
const WRITES_BETWEEN = 25;
/** Between two rounds of a storm: a connection lives long enough to be in the middle of something. */
const STORM_PACE_MS = 20;
/** Redis is used again a moment after it is back: until then writes may still miss it. */
const RECONNECT_MS = 3_000;

export interface FaultsOptions {
  readonly world: World;
  readonly load: ContendedLoad;
  readonly random: Random;
  /** How long a storm lasts. */
  readonly stormMs: number;
}

export const FAULT_NAMES = [
  "kill a replica",
  "stop a replica",
  "pause a replica",
  "flush Redis",
  "Redis away",
  "pause Redis",
  "restart PostgreSQL",
  "crash PostgreSQL",
  "terminate storm",
  "cancel storm",
] as const;
export type FaultName = (typeof FAULT_NAMES)[number];

/** Breaks things, one after the other. */
export class Faults {
  readonly windows: FaultWindow[] = [];
  readonly #options: FaultsOptions;

  constructor(options: FaultsOptions) {
    this.#options = options;
  }

  /** Resolves when it is over and writes have gone on. Rejects when they do not. */
  async inject(name: FaultName): Promise<void> {
    const from = performance.now();
    await this.#inject(name);
    await this.#writesGoOn(name);
    const isRedisAway = name === "Redis away" || name === "pause Redis";
    this.windows.push({ name, from, to: performance.now() + (isRedisAway ? RECONNECT_MS : 0), isRedisAway });
  }

  async #inject(name: FaultName): Promise<unknown> {
    const { world, random } = this.#options;
    const { redis, postgres } = world;
    const replica = random.pick(world.replicas);
    switch (name) {
      case "kill a replica":
        await replica.program.kill();
        await this.#writesGoOn(name);
        return replica.start();
      case "stop a replica":
        replica.program.signal("SIGTERM");
        if ((await replica.program.exited) !== 0)
          throw new Error("a replica that was told to stop did not exit with 0");
        return replica.start();
      case "pause a replica":
        return this.#paused(replica.program.pid);
      case "flush Redis":
        // On a connection of its own, which may feel the fault before.
        return redis.client().flushall();
      case "Redis away":
        await redis.kill();
        await this.#writesGoOn(name);
        return redis.start();
      case "pause Redis":
        return this.#paused(Number(readFileSync(join(redis.dataDir, "redis.pid"), "utf8")));
      case "restart PostgreSQL":
        return postgres.restart("fast");
      case "crash PostgreSQL":
        return postgres.restart("immediate");
      case "terminate storm":
        return this.#storm("pg_terminate_backend");
      case "cancel storm":
        return this.#storm("pg_cancel_backend");
    }
  }

  async #paused(pid: number): Promise<void> {
    process.kill(pid, "SIGSTOP");
    try {
      await this.#writesGoOn("pause");
    } finally {
      process.kill(pid, "SIGCONT");
    }
  }

  /** Hits every connection of the replicas, again and again. */
  async #storm(how: "pg_terminate_backend" | "pg_cancel_backend"): Promise<void> {
    const { world, stormMs, random } = this.#options;
    const admin = new pg.Client({ connectionString: world.databaseUrl });
    await admin.connect();
    try {
      for (const end = performance.now() + stormMs; performance.now() < end; ) {
        const chosen = `application_name LIKE 'replica-%' AND hashint4(pid # ${random.below(2 ** 30)}) % 2 = 0`;
        await admin.query(`SELECT ${how}(pid) FROM pg_stat_activity WHERE ${chosen}`);
        await pace(STORM_PACE_MS);
      }
    } finally {
      await admin.end();
    }
  }

  async #writesGoOn(during: string): Promise<void> {
    const { load } = this.#options;
    const target = load.writesDone + WRITES_BETWEEN;
    await until(() => load.writesDone > target, { ...PATIENT, what: `writes go on: ${during}` });
  }
}
