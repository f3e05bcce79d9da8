import { QUARANTINE_RETRY_MINUTES, STRIKES_MAX } from "../../../resource/quarantine.js";
import type { Statement } from "../database.js";
import { CLOCK } from "./clock.js";
import { WORK_ITEM_COLUMNS } from "./commit-work-items.js";
import { CLASSES, PRIORITY_SHIFT, shiftedPriority } from "./work-priority.js";

/**
 * The queue's statements outside the commit batch (commit-work-items.ts) and the taking of leases (lease-work.ts). They lock work
 * items only, by key or SKIP LOCKED, after a session row at most: work/SPEC.md, lock order.
 */

const KEY = "resource_group, kind, namespace, name";
const SAME_KEY = "(w.resource_group, w.kind, w.namespace, w.name) = (e.resource_group, e.kind, e.namespace, e.name)";
const NO_LEASE = `lease_token = NULL, lease_session_id = NULL, lease_resource_id = NULL, lease_wanted = NULL,
  leased_at = NULL, lease_deadline = NULL, lease_is_solo = false`;

/** Kinds in which work came due, in `in_ms` milliseconds at the earliest: what the doorbell rings for. */
export interface DueRow {
  readonly resource_group: string;
  readonly kind: string;
  readonly items: number;
  readonly in_ms: number;
}

/** Where the leases of a kind are limited, the end of one makes room for another item: that rings too. */
const DUE_ROWS = `
  SELECT resource_group, kind, count(*) FILTER (WHERE is_due)::integer AS items,
    greatest(0, min(extract(epoch FROM due_at - (SELECT now FROM clock)) * 1000))::double precision AS in_ms
  FROM (
    SELECT resource_group, kind, due_at, true AS is_due FROM due_again
    UNION ALL
    SELECT e.resource_group, e.kind, (SELECT now FROM clock), false FROM ended e
    JOIN reconciled_kinds k ON k.resource_group = e.resource_group AND k.kind = e.kind WHERE k.max_leases > 0) w
  GROUP BY resource_group, kind`;

/*
 * Statements that end leases may wait for a row, and it may be another one then. So they decide by what the lock returned
 * (`ended`), not by the columns of `w`: which rows to update is chosen by the statement's snapshot, and even CHECK constraints
 * are tried on that older version first, which is why `resource_id` is set to itself.
 */

/** Ends the leases that `which` selects without a failure: due now, or gone with the resource. */
function returnLeases(which: string, reason: string): string {
  return `
    WITH ${CLOCK},
    ended AS MATERIALIZED (
      SELECT ${KEY}, resource_id, due_at FROM work_items WHERE ${which}
      ORDER BY ${KEY} FOR UPDATE),
    gone AS (DELETE FROM work_items w USING ended e WHERE ${SAME_KEY} AND e.resource_id IS NULL),
    due_again AS (
      UPDATE work_items w SET resource_id = e.resource_id, due_at = least(e.due_at, clock.now), is_ready = true, ${NO_LEASE},
        reason = CASE WHEN e.due_at IS NULL THEN ${reason} ELSE w.reason END
      FROM ended e, clock WHERE ${SAME_KEY} AND e.resource_id IS NOT NULL
      RETURNING w.resource_group, w.kind, w.due_at)
    ${DUE_ROWS}`;
}

/** When a quarantined item is tried next. */
const NEXT_TRY = `clock.now + interval '${QUARANTINE_RETRY_MINUTES} minutes'`;

/**
 * $1 session ids, $2 how each worker died (parallel arrays); run as RETURN_LEASES_OF_SESSIONS. Ends the leases of workers that
 * died: each item counts it, is struck at the second, and from then on the deaths over it alone lead to the quarantine
 * (src/resource/quarantine.ts). A successor of the resource that was held has nothing to do with it.
 */
export const STRIKE_LEASES_OF_SESSIONS: Statement = {
  name: "strike-leases-of-sessions",
  text: `
    WITH ${CLOCK},
    ended AS MATERIALIZED (
      SELECT ${KEY}, w.resource_id, w.due_at, w.deaths, w.strikes, w.quarantined_at, w.lease_session_id, w.lease_is_solo,
        w.resource_id IS NOT DISTINCT FROM w.lease_resource_id AS is_guilty, d.death
      FROM work_items w JOIN unnest($1::uuid[], $2::text[]) AS d (session_id, death) ON w.lease_session_id = d.session_id
      ORDER BY ${KEY} FOR UPDATE OF w),
    counted AS MATERIALIZED (
      SELECT e.*, CASE WHEN is_guilty AND lease_is_solo AND count(*) OVER (PARTITION BY lease_session_id) = 1 THEN 1 ELSE 0 END
        AS added
      FROM ended e),
    judged AS MATERIALIZED (
      SELECT c.*, CASE WHEN c.strikes + c.added >= ${STRIKES_MAX} THEN coalesce(c.quarantined_at, clock.now)
        ELSE c.quarantined_at END AS quarantined_since
      FROM counted c, clock),
    gone AS (DELETE FROM work_items w USING ended e WHERE ${SAME_KEY} AND e.resource_id IS NULL),
    due_again AS (
      UPDATE work_items w SET resource_id = e.resource_id, ${NO_LEASE},
        due_at = CASE WHEN e.quarantined_since IS NULL THEN least(e.due_at, clock.now) ELSE ${NEXT_TRY} END,
        reason = CASE WHEN e.due_at IS NULL THEN 'WORKER_DIED' ELSE w.reason END,
        message = CASE WHEN e.due_at IS NULL THEN e.death ELSE w.message END,
        last_error = CASE WHEN e.is_guilty THEN e.death ELSE w.last_error END,
        deaths = least(e.deaths + e.is_guilty::integer, 32767), strikes = least(e.strikes + e.added, 32767),
        quarantined_at = e.quarantined_since, is_quarantine_shown = w.is_quarantine_shown AND e.added = 0
      FROM judged e, clock WHERE ${SAME_KEY} AND e.resource_id IS NOT NULL
      RETURNING w.resource_group, w.kind, w.due_at)
    ${DUE_ROWS}`,
};

/** $1 session ids. Run it after the statement that ended the sessions: only then no new lease of theirs can appear. */
export const RETURN_LEASES_OF_SESSIONS: Statement = {
  name: "return-leases-of-sessions",
  text: returnLeases("lease_session_id = ANY ($1::uuid[])", "'LEASE_RETURNED'"),
};

/** $1 session, $2 tokens, $3 reason to show; null: the one before, as if the item had not been leased. */
export const RETURN_LEASES: Statement = {
  name: "return-leases",
  text: returnLeases("lease_session_id = $1 AND lease_token = ANY ($2::text[])", "coalesce($3::text, w.reason)"),
};

/**
 * $1 session, $2 tokens of leases whose resource is not there: removes items that point to it still. The others learnt of
 * the removal and are returned.
 */
export const DROP_GHOSTS: Statement = {
  name: "drop-ghosts",
  text: `
    DELETE FROM work_items
    WHERE lease_session_id = $1 AND lease_token = ANY ($2::text[]) AND resource_id = lease_resource_id`,
};

/**
 * Ends the leases that `which` selects as failed passes; `locking` says how many, and whether to wait for locked ones. The
 * back-off is that of src/resource/backoff.ts.
 */
function failLeases(which: string, locking: string, reason: string, error: string): string {
  return `
    WITH ${CLOCK},
    ended AS MATERIALIZED (
      SELECT w.resource_group, w.kind, w.namespace, w.name, w.resource_id, w.lease_resource_id, w.due_at, w.quarantined_at,
        ${error} AS error,
        least(s.backoff_max_ms, s.backoff_base_ms * power(2, least(w.failures, 60))) * (1 - 0.2 * random()) AS backoff_ms
      FROM work_items w LEFT JOIN sessions s ON s.session_id = w.lease_session_id
      WHERE ${which}
      ${locking}),
    gone AS (DELETE FROM work_items w USING ended e WHERE ${SAME_KEY} AND e.resource_id IS NULL),
    successors AS (
      UPDATE work_items w SET resource_id = e.resource_id, due_at = e.due_at, is_ready = e.due_at <= clock.now, ${NO_LEASE}
      FROM ended e, clock
      WHERE ${SAME_KEY} AND e.resource_id <> e.lease_resource_id
      RETURNING w.resource_group, w.kind, w.due_at),
    failed AS (
      UPDATE work_items w SET resource_id = e.resource_id, ${NO_LEASE}, failures = w.failures + 1, last_error = e.error,
        due_at = CASE WHEN e.quarantined_at IS NOT NULL THEN ${NEXT_TRY}
          ELSE coalesce(e.due_at, clock.now + coalesce(e.backoff_ms, 0) * interval '1 millisecond') END,
        is_ready = coalesce(e.due_at <= clock.now, coalesce(e.backoff_ms, 0) = 0),
        priority = CASE WHEN e.due_at IS NULL THEN ${shiftedPriority(1, "w.priority_shift")} ELSE w.priority END,
        reason = CASE WHEN e.due_at IS NULL THEN ${reason} ELSE w.reason END,
        message = CASE WHEN e.due_at IS NULL THEN e.error ELSE w.message END
      FROM ended e, clock WHERE ${SAME_KEY} AND e.resource_id = e.lease_resource_id
      RETURNING w.resource_group, w.kind, w.due_at),
    due_again AS (SELECT * FROM successors UNION ALL SELECT * FROM failed)
    ${DUE_ROWS}`;
}

/** Ends up to 500 leases whose deadline passed (I11). */
export const EXPIRE_DEADLINES: Statement = {
  name: "expire-deadlines",
  text: failLeases(
    "w.lease_token IS NOT NULL AND w.lease_deadline <= (SELECT now FROM clock)",
    "LIMIT 500 FOR UPDATE OF w SKIP LOCKED",
    "'DEADLINE_EXCEEDED'",
    `format('the pass took longer than its deadline of %s ms',
      round(extract(epoch FROM w.lease_deadline - w.leased_at) * 1000))`,
  ),
};

/**
 * $1 session, $2 token, $3 error: a lease that could not be handed out, because the finalizer could not be added. Waits for
 * whoever holds the row: it is one row, and nobody comes back for it.
 */
export const FAIL_LEASE: Statement = {
  name: "fail-lease",
  text: failLeases("w.lease_session_id = $1 AND w.lease_token = $2", "FOR UPDATE OF w", "'RETRY'", "$3::text"),
};

/**
 * $1..$4 key, $5 message: wants a pass now; returns whether the resource exists. The item of a resource that is gone, or of
 * a successor, is not touched: the successor's creation asked for its own pass. A quarantined one waits for its next try.
 */
export const ENQUEUE: Statement = {
  name: "enqueue-work",
  text: `
    WITH found AS (
      SELECT r.id, r.shard_id, r.generation > r.observed_generation AS is_pending,
        ${PRIORITY_SHIFT} AS shift
      FROM resources r WHERE (r.resource_group, r.kind, r.namespace, r.name) = ($1, $2, $3, $4)),
    enqueued AS (
      INSERT INTO work_items AS w (${KEY}, resource_id, shard_id, wanted, due_at, priority, priority_shift, reason, message,
        is_pending, pending_since, is_ready)
      SELECT $1, $2, $3, $4, id, shard_id, 1, clock_timestamp(), ${shiftedPriority(0, "shift")}, shift, 'ENQUEUED', $5::text,
        is_pending, CASE WHEN is_pending THEN clock_timestamp() END, true
      FROM found
      ON CONFLICT ON CONSTRAINT work_items_pkey DO UPDATE SET
        wanted = w.wanted + 1, priority = excluded.priority, priority_shift = excluded.priority_shift, is_ready = true,
        due_at = CASE WHEN w.quarantined_at IS NOT NULL AND w.lease_token IS NULL THEN w.due_at
          ELSE least(w.due_at, excluded.due_at) END,
        reason = excluded.reason, message = excluded.message
      WHERE w.resource_id = excluded.resource_id)
    SELECT id FROM found`,
};

/**
 * $1..$4 key: behind ENQUEUE, in its transaction. A batch that ends the resource holds its row: this waits for it, on a snapshot of its own,
 * and takes the item back that ENQUEUE made of a resource that is gone by then; returns a row when it did. A batch that comes later finds
 * the item (DELETE_ITEMS_OF_REMOVED). Items before resources, as everywhere.
 */
export const TAKE_BACK_ENQUEUED: Statement = {
  name: "take-back-enqueued",
  text: `
    WITH kept AS MATERIALIZED (
      SELECT r.id FROM resources r WHERE (r.resource_group, r.kind, r.namespace, r.name) = ($1, $2, $3, $4)
      FOR KEY SHARE OF r)
    DELETE FROM work_items w WHERE (w.resource_group, w.kind, w.namespace, w.name) = ($1, $2, $3, $4)
      AND w.lease_token IS NULL AND w.resource_id NOT IN (SELECT id FROM kept)
    RETURNING 1`,
};

/**
 * $1 session, $2 tokens, $3 words ('' leaves them), $4 checkpoints (null leaves them; parallel arrays): how far passes have
 * come. Leases that are not the session's any more, or whose resource is gone, are left out.
 */
export const SAVE_PROGRESS: Statement = {
  name: "save-progress",
  text: `
    WITH held AS MATERIALIZED (
      SELECT ${KEY}, lease_token FROM work_items
      WHERE lease_session_id = $1 AND lease_token = ANY ($2::text[]) AND lease_deadline > clock_timestamp()
        AND resource_id = lease_resource_id
      ORDER BY ${KEY} FOR UPDATE)
    UPDATE work_items w SET progress = coalesce(nullif(p.message, ''), w.progress),
      checkpoint = CASE WHEN p.checkpoint IS NULL THEN w.checkpoint ELSE nullif(p.checkpoint, '') END
    FROM held e JOIN unnest($2::text[], $3::text[], $4::bytea[]) AS p (token, message, checkpoint) ON e.lease_token = p.token
    WHERE ${SAME_KEY}`,
};

/** A checkpoint and the lease that gets it. */
export interface CheckpointRow {
  readonly lease_token: string;
  readonly checkpoint: Buffer;
}

/** $1 session, $2 tokens: what earlier holders left. */
export const READ_CHECKPOINTS: Statement = {
  name: "read-checkpoints",
  text: `
    SELECT lease_token, checkpoint FROM work_items
    WHERE lease_session_id = $1 AND lease_token = ANY ($2::text[]) AND checkpoint IS NOT NULL`,
};

/** Up to 100 quarantined resources whose condition does not say so yet, those that wait longest first. */
export const FIND_UNSHOWN_QUARANTINES: Statement = {
  name: "find-unshown-quarantines",
  text: `
    SELECT ${KEY} FROM work_items WHERE quarantined_at IS NOT NULL AND NOT is_quarantine_shown
    ORDER BY quarantined_at LIMIT 100`,
};

/** $1..$4: the parts of the keys, in parallel arrays: their items, without a lock. */
export const READ_WORK_ITEMS: Statement = {
  name: "read-work-items",
  text: `
    SELECT ${WORK_ITEM_COLUMNS}
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (resource_group, kind, namespace, name)
    JOIN work_items w USING (resource_group, kind, namespace, name)`,
};

/** Items of one kind, for the gauges. */
export interface DepthRow {
  readonly resource_group: string;
  readonly kind: string;
  readonly due: number;
  readonly leased: number;
}

/** Due and leased items by kind; counts at most 100,000 rows, so a huge backlog shows as at least that. */
export const COUNT_WORK: Statement = {
  name: "count-work",
  text: `
    SELECT resource_group, kind, count(*) FILTER (WHERE NOT is_leased)::integer AS due,
      count(*) FILTER (WHERE is_leased)::integer AS leased
    FROM (
      SELECT resource_group, kind, lease_token IS NOT NULL AS is_leased FROM work_items
      WHERE lease_token IS NOT NULL OR due_at <= now() LIMIT 100000) w
    GROUP BY resource_group, kind`,
};

/** What the pulse learns: one row, and one more per kind asked for. */
export interface PulseRow {
  /** The database clock, in milliseconds since the epoch. */
  readonly now_ms: number;
  /** Until the next session or lease expires; null: none will. 0 or less: now. */
  readonly expiry_in_ms: number | null;
  /** Until the next sweep of a kind that has a live session. */
  readonly sweep_in_ms: number | null;
  /** Whether a resource is quarantined and its condition does not say so. */
  readonly has_unshown_quarantine: boolean;
  /** Until the children of an owner on its way out are to be dealt with. */
  readonly collection_in_ms: number | null;
  readonly resource_group: string | null;
  readonly kind: string | null;
  readonly due_in_ms: number | null;
}

/** $1, $2: groups and kinds with waiting Lease calls (parallel arrays). Every part is answered from the edge of an index. */
export const PULSE: Statement = {
  name: "pulse",
  text: `
    WITH ${CLOCK},
    known AS (
      SELECT least((SELECT min(expires_at) FROM sessions),
          (SELECT min(lease_deadline) FROM work_items WHERE lease_token IS NOT NULL)) AS expiry,
        (SELECT min(r.sweep_due_at) FROM reconciled_kinds r WHERE EXISTS (
          SELECT FROM session_kinds k WHERE k.resource_group = r.resource_group AND k.kind = r.kind)) AS sweep,
        (SELECT min(due_at) FROM collections) AS collection,
        EXISTS (SELECT FROM work_items WHERE quarantined_at IS NOT NULL AND NOT is_quarantine_shown) AS has_unshown)
    SELECT (extract(epoch FROM clock.now) * 1000)::double precision AS now_ms,
      (extract(epoch FROM known.expiry - clock.now) * 1000)::double precision AS expiry_in_ms,
      (extract(epoch FROM known.sweep - clock.now) * 1000)::double precision AS sweep_in_ms,
      (extract(epoch FROM known.collection - clock.now) * 1000)::double precision AS collection_in_ms,
      known.has_unshown AS has_unshown_quarantine, next.resource_group, next.kind,
      greatest(0, extract(epoch FROM next.due_at - clock.now) * 1000)::double precision AS due_in_ms
    FROM clock CROSS JOIN known
    LEFT JOIN LATERAL (
      SELECT k.resource_group, k.kind, min(w.due_at) AS due_at
      FROM unnest($1::text[], $2::text[]) AS k (resource_group, kind)
      CROSS JOIN LATERAL (
        SELECT ready.due_at FROM ${CLASSES} CROSS JOIN LATERAL (
          SELECT w.due_at FROM work_items w
          WHERE w.resource_group = k.resource_group AND w.kind = k.kind AND w.priority = class.priority AND w.is_ready
            AND w.lease_token IS NULL AND NOT w.is_struck
          ORDER BY w.priority, w.namespace, w.due_at LIMIT 1) ready
        UNION ALL
        (SELECT w.due_at FROM work_items w
          WHERE w.resource_group = k.resource_group AND w.kind = k.kind AND NOT w.is_ready AND w.lease_token IS NULL
            AND NOT w.is_struck
          ORDER BY w.due_at LIMIT 1)
        UNION ALL
        (SELECT w.due_at FROM work_items w
          WHERE w.resource_group = k.resource_group AND w.kind = k.kind AND w.is_struck AND w.lease_token IS NULL
          ORDER BY w.due_at LIMIT 1)) w
      GROUP BY k.resource_group, k.kind) AS next ON true`,
};
