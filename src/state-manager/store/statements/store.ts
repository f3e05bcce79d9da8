import type { Statement } from "../database.js";

/** The one row of `store`. */
export interface StoreRow {
  readonly store_id: string;
  readonly log_count: number;
  readonly oldest_program_schema: number;
}

/** $1 log count; nothing happens when the store exists. */
export const CREATE_STORE: Statement = {
  name: "create-store",
  text: "INSERT INTO store (store_id, log_count) VALUES (gen_random_uuid(), $1) ON CONFLICT DO NOTHING",
};

/** Heads and floors of all logs; nothing happens when they exist. */
export const CREATE_LOGS: Statement = {
  name: "create-logs",
  text: `
    WITH ids AS (SELECT generate_series(0, log_count - 1) AS log_id FROM store),
      heads AS (INSERT INTO log_heads SELECT log_id FROM ids ON CONFLICT DO NOTHING)
    INSERT INTO log_floors SELECT log_id, 0, 0 FROM ids ON CONFLICT DO NOTHING`,
};

/** A row of `READ_STORE_HEALTH`. */
export interface StoreHealthRow {
  readonly version: string;
  readonly now: Date;
  /** File name of the newest migration. */
  readonly migration: string;
}

/** What an operator asks first. */
export const READ_STORE_HEALTH: Statement = {
  name: "read-store-health",
  text: `
    SELECT current_setting('server_version') AS version, clock_timestamp() AS now,
      (SELECT name FROM migrations ORDER BY name DESC LIMIT 1) AS migration`,
};

/**
 * The smallest write: locks a row that nothing else locks, which PostgreSQL refuses when it is read-only, and waits for the disk. It
 * leaves no dead row behind.
 */
export const TRY_WRITE: Statement = { name: "try-write", text: "SELECT FROM store FOR KEY SHARE" };

/** Identity and compatibility. */
export const READ_STORE: Statement = {
  name: "read-store",
  text: "SELECT store_id, log_count, oldest_program_schema FROM store",
};
