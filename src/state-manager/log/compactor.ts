import type { Database, Statement } from "../store/database.js";
import { CURRENT_BUCKET, LOCK_PARTITIONS, partitionName } from "../store/event-partitions.js";

/** A partition of `events`, by the hour it holds. */
const LIST_PARTITIONS: Statement = {
  name: "list-partitions",
  text: `
    SELECT substring(c.relname FROM 'events_h(\\d+)')::integer AS bucket
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'events'::regclass ORDER BY 1`,
};

/** Drops history that is older than the retention, an hour at a time (2.11). */
export class Compactor {
  readonly #database: Database;
  readonly #retentionHours: number;

  constructor(database: Database, retentionHours: number) {
    this.#database = database;
    this.#retentionHours = retentionHours;
  }

  /**
   * Drops every whole hour older than the retention and returns how many. `aheadHours` moves the clock, for tests. Harmless when
   * several replicas do it: the second finds nothing.
   */
  async compact(aheadHours = 0): Promise<number> {
    const [clock] = await this.#database.query<{ bucket: number }>(CURRENT_BUCKET);
    if (clock === undefined) throw new Error("SELECT without FROM gives one row");
    const oldestKept = clock.bucket + aheadHours - this.#retentionHours;
    const partitions = await this.#database.query<{ bucket: number }>(LIST_PARTITIONS);
    const expired = partitions.map(({ bucket }) => bucket).filter((bucket) => bucket < oldestKept);
    for (const bucket of expired) await this.#drop(bucket);
    return expired.length;
  }

  /** The floor moves in the transaction that drops the rows: a reader that finds none then finds it (I4). */
  async #drop(bucket: number): Promise<void> {
    await this.#database.transaction(async (connection) => {
      await connection.query(LOCK_PARTITIONS);
      await connection.query(GIVE_WAY);
      await connection.query(RAISE_FLOORS, [bucket]);
      await connection.query({ name: "drop-partition", text: `DROP TABLE IF EXISTS ${partitionName(bucket)}` });
    });
  }
}

/** Dropping needs the table to itself, and whoever comes after it waits: better to fail and try again in some minutes. */
const GIVE_WAY: Statement = { name: "give-way", text: "SET LOCAL lock_timeout = '200ms'" };

/** $1: the bucket about to go. */
const RAISE_FLOORS: Statement = {
  name: "raise-floors",
  text: `
    UPDATE log_floors f SET revision = e.revision, fingerprint = e.fingerprint
    FROM (
      SELECT DISTINCT ON (log_id) log_id, revision, fingerprint FROM events
      WHERE bucket = $1 ORDER BY log_id, revision DESC
    ) e
    WHERE f.log_id = e.log_id AND e.revision > f.revision`,
};
