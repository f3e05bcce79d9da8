import type { Change } from "../../../resource/change.js";
import { encodeMeta } from "../../log/change-codec.js";
import type { Scalar } from "../array-parameter.js";
import { type Column, columnNames, unnestColumns } from "../columns.js";
import type { BoundStatement, Statement } from "../database.js";
import { payloadBytes } from "../resource-row.js";

/** Locks the heads of `logs` in order, one statement before anything is read (2.3). */
export function lockHeads(logs: readonly number[]): BoundStatement {
  return { statement: LOCK_HEADS, values: [logs] };
}

const LOCK_HEADS: Statement = {
  name: "lock-heads",
  text: "SELECT log_id FROM log_heads WHERE log_id = ANY ($1::smallint[]) ORDER BY log_id FOR UPDATE",
};

/**
 * The fingerprint of the batch, in its transaction and nowhere else: what is written with it fails outside of the transaction
 * that holds the head.
 */
export const BATCH_FINGERPRINT = "current_setting('reconcile.fingerprint')::bigint";
/** Whether what the batch assumed of the log and its keys holds. When it does not, the batch writes no row: that is no error. */
export const HOLDS = "current_setting('reconcile.fingerprint') <> 'miss'";

/**
 * Why a batch that was decided before the head was locked is not written: the log ends elsewhere, the batch came later than its
 * sender waits for it, or a key that it creates is taken.
 */
export type Miss = "moved" | "late" | "taken";

/** A row of `READ_LOG_ENDS`. */
export interface LogEndRow {
  readonly log_id: number;
  readonly revision: bigint;
  readonly fingerprint: bigint;
  /** Bucket of the last event; null when no event at or after $2 is left. */
  readonly last_bucket: number | null;
  readonly now: Date;
  readonly now_bucket: number;
  /** As the driver parses an array of int8: texts. */
  readonly ids: readonly string[] | null;
  /** Null when everything in `assumed` holds. */
  readonly miss: Miss | null;
}

/** What a batch was decided on before it could know, checked behind the head's lock. */
interface Assumption {
  /** The fingerprint the log ends with. */
  readonly endsWith: bigint;
  /** On the database clock: what comes later is not written, so a sender that sees this time pass knows the outcome (I10). */
  readonly deadline: Date;
  /** Keys that are free, as `keyArrays` has them. */
  readonly free: readonly unknown[];
}

/** Hours since the epoch, on the database clock: the partition key. */
const NOW_BUCKET = "(extract(epoch FROM clock_timestamp()) / 3600)::integer";

/** What the end of a log is read with. */
export interface LogEndRequest {
  /** A bucket the last event is known not to precede (0: unknown), which prunes the older partitions. */
  readonly bucketHint: number;
  /** How many ids are drawn for what may be created. */
  readonly ids: number;
  /** What BATCH_FINGERPRINT is to be. */
  readonly fingerprint: bigint;
  /** Nothing by default: what is written was decided on what this reads. */
  readonly assumed?: Assumption;
}

/** Reads the last event of each locked log, the clock, and ids, which come with every row. */
export function readLogEnds(logs: readonly number[], request: LogEndRequest): BoundStatement {
  const { bucketHint, ids, fingerprint, assumed } = request;
  const assumptions = assumed ? [assumed.endsWith, assumed.deadline, ...assumed.free] : NOTHING_ASSUMED;
  return { statement: READ_LOG_ENDS, values: [logs, bucketHint, ids, fingerprint, ...assumptions] };
}

const NOTHING_ASSUMED = [null, null, null, null, null, null];

const READ_LOG_ENDS: Statement = {
  name: "read-log-ends",
  text: `
    SELECT x.*, set_config('reconcile.fingerprint', CASE WHEN miss IS NULL THEN $4::text ELSE 'miss' END, true)
    FROM (
      SELECT f.log_id, coalesce(e.revision, f.revision) AS revision, coalesce(e.fingerprint, f.fingerprint) AS fingerprint,
        e.bucket AS last_bucket, date_trunc('milliseconds', clock_timestamp()) AS now, ${NOW_BUCKET} AS now_bucket,
        CASE WHEN coalesce(e.fingerprint, f.fingerprint) <> $5::bigint THEN 'moved'
          WHEN clock_timestamp() > $6::timestamptz THEN 'late'
          WHEN EXISTS (
            SELECT FROM unnest($7::text[], $8::text[], $9::text[], $10::text[]) AS k (resource_group, kind, namespace, name)
            JOIN resources r USING (resource_group, kind, namespace, name)
          ) THEN 'taken' END AS miss,
        (SELECT array_agg(nextval('resource_ids')) FROM generate_series(1, $3::integer)) AS ids
      FROM log_floors f
      LEFT JOIN LATERAL (
        SELECT revision, fingerprint, bucket FROM events
        WHERE log_id = f.log_id AND bucket >= $2::integer ORDER BY revision DESC LIMIT 1
      ) e ON true
      WHERE f.log_id = ANY ($1::smallint[])
    ) x`,
};

/** A change with the time and partition of its commit. */
export interface StampedChange {
  readonly change: Change;
  readonly committedAt: Date;
  readonly bucket: number;
}

function column(name: string, type: string, read: (change: Change) => Scalar): Column<StampedChange> {
  return { name, type, read: ({ change }) => read(change) };
}

/** Columns of `INSERT_EVENTS`. */
export const EVENT_COLUMNS: readonly Column<StampedChange>[] = [
  column("log_id", "smallint", ({ log }) => log),
  column("revision", "bigint", ({ revision }) => revision),
  { name: "bucket", type: "integer", read: ({ bucket }) => bucket },
  column("fingerprint", "bigint", ({ fingerprint }) => fingerprint),
  column("previous_fingerprint", "bigint", ({ previousFingerprint }) => previousFingerprint),
  { name: "committed_at", type: "timestamptz", read: ({ committedAt }) => committedAt },
  column("type", "text", ({ type }) => type),
  column("resource_group", "text", ({ resource }) => resource.key.resourceGroup),
  column("kind", "text", ({ resource }) => resource.key.kind),
  column("namespace", "text", ({ resource }) => resource.key.namespace),
  column("name", "text", ({ resource }) => resource.key.name),
  column("bytes", "integer", ({ resource }) => payloadBytes(resource)),
  column("meta", "text", encodeMeta),
  column("spec", "text", ({ resource }) => resource.specJson),
  column("status", "text", ({ resource }) => resource.statusJson),
];

/** Appends to the log. */
export const INSERT_EVENTS: Statement = {
  name: "insert-events",
  text: `
    INSERT INTO events (${columnNames(EVENT_COLUMNS)})
    SELECT ${columnNames(EVENT_COLUMNS)} FROM ${unnestColumns(EVENT_COLUMNS)}`,
};

/**
 * Whether a batch is in, after its COMMIT went unanswered: `last` is its last change, `deadline` the time from which on it can
 * not get in any more (undefined: it held the head already, so it is over when the head is free).
 */
export function findFingerprint({ log, revision, fingerprint }: Change, deadline: Date | undefined): BoundStatement {
  return { statement: FIND_FINGERPRINT, values: [log, revision, fingerprint, deadline ?? null] };
}

/** A row of `findFingerprint`. */
export interface FoundRow {
  readonly is_in: boolean;
  /** Whether it cannot get in from now on. */
  readonly is_over: boolean;
}

const FIND_FINGERPRINT: Statement = {
  name: "find-fingerprint",
  text: `
    SELECT EXISTS (SELECT FROM events WHERE log_id = $1 AND revision = $2 AND fingerprint = $3) AS is_in,
      coalesce(clock_timestamp() > $4::timestamptz, true) AS is_over`,
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
 * Events of log $1 from revision $2 (inclusive, to compare its fingerprint), at most $3 and about $4 bytes. The first two
 * always come.
 */
export const READ_EVENTS: Statement = {
  name: "read-events",
  text: `
    SELECT revision, fingerprint, previous_fingerprint, type, resource_group, kind, namespace, name, meta, spec, status
    FROM (
      SELECT e.*, sum(bytes) OVER (ORDER BY revision) AS bytes_so_far
      FROM (
        SELECT * FROM events WHERE log_id = $1 AND revision >= $2::bigint ORDER BY revision LIMIT $3
      ) e
    ) e
    WHERE bytes_so_far <= $4::bigint OR revision <= $2::bigint + 1
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
