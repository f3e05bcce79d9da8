import type { Statement } from "../database.js";

/** Locks the heads of `logs` in order, one statement before anything is read (2.3). One round trip with BEGIN. */
export function lockHeadsScript(logs: readonly number[]): Statement {
  const ids = [...logs].sort((a, b) => a - b).join(",");
  return {
    name: "lock-heads",
    text: `BEGIN; SELECT log_id FROM log_heads WHERE log_id IN (${ids}) ORDER BY log_id FOR UPDATE; SAVEPOINT locked`,
  };
}

/** Back to right after the heads were locked. */
export const ROLLBACK_TO_LOCKED: Statement = { name: "rollback-to-locked", text: "ROLLBACK TO SAVEPOINT locked" };

/** A row of `READ_LOG_ENDS`. */
export interface LogEndRow {
  readonly log_id: number;
  readonly revision: bigint;
  readonly fingerprint: bigint;
  /** Bucket of the last event; null when no event at or after $2 is left. */
  readonly last_bucket: number | null;
  readonly now: Date;
  readonly now_bucket: number;
  readonly ids: readonly bigint[] | null;
}

/** Hours since the epoch, on the database clock: the partition key. */
const NOW_BUCKET = "(extract(epoch FROM clock_timestamp()) / 3600)::integer";

/**
 * The last event of each locked log, the clock, and ids for what may be created. $1 log ids; $2 a bucket the last event is
 * known not to precede (0: unknown), which prunes the older partitions; $3 how many ids.
 */
export const READ_LOG_ENDS: Statement = {
  name: "read-log-ends",
  text: `
    SELECT f.log_id, coalesce(e.revision, f.revision) AS revision, coalesce(e.fingerprint, f.fingerprint) AS fingerprint,
      e.bucket AS last_bucket, date_trunc('milliseconds', clock_timestamp()) AS now, ${NOW_BUCKET} AS now_bucket,
      (SELECT array_agg(nextval('resource_ids')) FROM generate_series(1, $3::integer)) AS ids
    FROM log_floors f
    LEFT JOIN LATERAL (
      SELECT revision, fingerprint, bucket FROM events
      WHERE log_id = f.log_id AND bucket >= $2::integer ORDER BY revision DESC LIMIT 1
    ) e ON true
    WHERE f.log_id = ANY ($1::smallint[])`,
};

/** $1: JSON array of events; meta, spec and status are kept as text. */
export const INSERT_EVENTS: Statement = {
  name: "insert-events",
  text: `
    INSERT INTO events (log_id, revision, bucket, fingerprint, previous_fingerprint, committed_at, type, resource_group,
      kind, namespace, name, meta, spec, status)
    SELECT * FROM json_to_recordset($1::json) AS x (log_id smallint, revision bigint, bucket integer, fingerprint bigint,
      previous_fingerprint bigint, committed_at timestamptz, type text, resource_group text, kind text, namespace text,
      name text, meta json, spec json, status json)`,
};

/** Whether a batch is in, after its COMMIT went unanswered. $1 log, $2 its last revision, $3 its fingerprint. */
export const FIND_FINGERPRINT: Statement = {
  name: "find-fingerprint",
  text: "SELECT 1 FROM events WHERE log_id = $1 AND revision = $2 AND fingerprint = $3",
};

/** A row of `READ_EVENTS`. */
export interface EventRow {
  readonly revision: bigint;
  readonly fingerprint: bigint;
  readonly previous_fingerprint: bigint;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly resource_group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly meta: string;
  readonly spec: string | null;
  readonly status: string | null;
}

/**
 * Events of log $1 from revision $2 (inclusive, to compare its fingerprint), at most $3, of about $4 bytes: sizes as stored, so
 * nothing is detoasted to be left out. The first two always come.
 */
export const READ_EVENTS: Statement = {
  name: "read-events",
  text: `
    SELECT revision, fingerprint, previous_fingerprint, type, resource_group, kind, namespace, name, meta, spec, status
    FROM (
      SELECT e.*, sum(pg_column_size(spec) + pg_column_size(status) + pg_column_size(meta)) OVER (ORDER BY revision)
        AS bytes_so_far
      FROM (
        SELECT * FROM events WHERE log_id = $1 AND revision >= $2::bigint ORDER BY revision LIMIT $3
      ) e
    ) e
    WHERE coalesce(bytes_so_far, 0) <= $4::bigint OR revision <= $2::bigint + 1
    ORDER BY revision`,
};

/** A row of `READ_EXTENTS`. */
export interface ExtentRow {
  readonly log_id: number;
  readonly floor_revision: bigint;
  readonly floor_fingerprint: bigint;
  readonly head_revision: bigint;
  readonly head_fingerprint: bigint;
}

/** Floor and head of every log. */
export const READ_EXTENTS: Statement = {
  name: "read-extents",
  text: `
    SELECT f.log_id, f.revision AS floor_revision, f.fingerprint AS floor_fingerprint,
      coalesce(e.revision, f.revision) AS head_revision, coalesce(e.fingerprint, f.fingerprint) AS head_fingerprint
    FROM log_floors f
    LEFT JOIN LATERAL (
      SELECT revision, fingerprint FROM events WHERE log_id = f.log_id ORDER BY revision DESC LIMIT 1
    ) e ON true
    ORDER BY f.log_id`,
};
