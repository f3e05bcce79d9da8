import type { Database, Statement } from "./database.js";

/** Partitions made ahead of need, in hours: making one locks the table for a moment, so not at the very hour. */
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

/** `bucket` is an integer of ours, so it may stand in the text: DDL takes no parameters. */
function createPartition(bucket: number): Statement {
  return {
    name: "create-partition",
    text: `CREATE TABLE IF NOT EXISTS ${partitionName(bucket)} PARTITION OF events FOR VALUES FROM (${bucket}) TO (${bucket + 1})`,
  };
}

/** The table that holds the events of one hour. */
export function partitionName(bucket: number): string {
  return `events_h${bucket}`;
}
