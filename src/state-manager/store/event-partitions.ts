import type { Database, Statement } from "./database.js";

/** Partitions made ahead of need, in hours: a write that finds none makes it, but should not have to. */
const HOURS_AHEAD = 2;

/** Keeps the hourly partitions of `events` ahead of the clock. */
export class EventPartitions {
  readonly #database: Database;
  #readyUpTo = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Makes the partitions from `bucket` (default: the database's current hour) on; several replicas may do so at once. */
  async ensure(bucket?: number): Promise<void> {
    const first = bucket ?? (await this.#currentBucket());
    await this.#database.transaction(async (connection) => {
      await connection.query(LOCK_PARTITIONS);
      for (let next = first; next <= first + HOURS_AHEAD; next++) await connection.query(createPartition(next));
    });
    this.#readyUpTo = Math.max(this.#readyUpTo, first + HOURS_AHEAD);
  }

  /** Whether the next hour already has its partition. */
  async ensureAhead(): Promise<void> {
    const current = await this.#currentBucket();
    if (this.#readyUpTo < current + 1) await this.ensure(current);
  }

  async #currentBucket(): Promise<number> {
    const [row] = await this.#database.query<{ bucket: number }>(CURRENT_BUCKET);
    if (row === undefined) throw new Error("SELECT without FROM gives one row");
    return row.bucket;
  }
}

/** The database's current hour. */
export const CURRENT_BUCKET: Statement = {
  name: "current-bucket",
  text: "SELECT (extract(epoch FROM clock_timestamp()) / 3600)::integer AS bucket",
};

/** One maker or dropper of partitions at a time; released with the transaction. */
export const LOCK_PARTITIONS: Statement = {
  name: "lock-partitions",
  text: "SELECT pg_advisory_xact_lock(hashtext('reconcile.events.partitions'))",
};

/**
 * Made on its own and then attached: that takes no lock a reader, a writer or a backup holds, whereas `PARTITION OF` waits for
 * all of them, and every write waits behind it. `bucket` is an integer of ours, so it may stand in the text: DDL takes no
 * parameters.
 */
function createPartition(bucket: number): Statement {
  const table = partitionName(bucket);
  return {
    name: "create-partition",
    text: `
      DO $$ BEGIN
        IF to_regclass('${table}') IS NULL THEN
          CREATE TABLE ${table} (LIKE events INCLUDING ALL);
          ALTER TABLE events ATTACH PARTITION ${table} FOR VALUES FROM (${bucket}) TO (${bucket + 1});
        END IF;
      END $$`,
  };
}

/** The table that holds the events of one hour. */
export function partitionName(bucket: number): string {
  return `events_h${bucket}`;
}
