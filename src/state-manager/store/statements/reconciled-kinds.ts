import type { Statement } from "../database.js";
import { PRIORITY_SHIFT, shiftedPriority } from "./work-priority.js";

/** $1, $2 groups and kinds (parallel arrays), $3 reconciler, $4 resync period in ms: makes the rows that are missing. */
export const ADD_KINDS: Statement = {
  name: "add-kinds",
  text: `
    INSERT INTO reconciled_kinds (resource_group, kind, reconciler, resync_period_ms, sweep_due_at)
    SELECT k.resource_group, k.kind, $3::text, $4::bigint, clock_timestamp() + $4::bigint * interval '1 millisecond'
    FROM unnest($1::text[], $2::text[]) AS k (resource_group, kind)
    ORDER BY k.resource_group COLLATE "C", k.kind COLLATE "C"
    ON CONFLICT DO NOTHING`,
};

/** $1, $2 as above: locks the rows, in one order for all. Registrations of the same kind come one after the other. */
export const LOCK_KINDS: Statement = {
  name: "lock-kinds",
  text: `
    SELECT r.reconciler FROM unnest($1::text[], $2::text[]) AS k (resource_group, kind)
    JOIN reconciled_kinds r USING (resource_group, kind)
    ORDER BY r.resource_group, r.kind FOR UPDATE OF r`,
};

/** $1 group, $2 kind: locks its row while leases of a kind with a limit are counted and taken. */
export const LOCK_KIND: Statement = {
  name: "lock-kind",
  text: "SELECT FROM reconciled_kinds WHERE resource_group = $1 AND kind = $2 FOR NO KEY UPDATE",
};

/** A kind and the other reconciler that has live sessions for it. */
export interface KindHolderRow {
  readonly resource_group: string;
  readonly kind: string;
  readonly reconciler: string;
}

/** $1, $2 as above, $3 reconciler. Run after LOCK_KINDS, so that it sees whoever registered just before. */
export const FIND_OTHER_HOLDER: Statement = {
  name: "find-other-holder",
  text: `
    SELECT k.resource_group, k.kind, s.reconciler FROM unnest($1::text[], $2::text[]) AS k (resource_group, kind)
    JOIN session_kinds sk USING (resource_group, kind) JOIN sessions s USING (session_id)
    WHERE s.reconciler <> $3 AND s.expires_at > clock_timestamp() LIMIT 1`,
};

/**
 * $1..$4 as in ADD_KINDS, $5 finalizer, $6 leases of each kind at most (0: no limit): takes the kinds over. A shorter period
 * brings the next sweep forward.
 */
export const CLAIM_KINDS: Statement = {
  name: "claim-kinds",
  text: `
    UPDATE reconciled_kinds r SET reconciler = $3, resync_period_ms = $4, finalizer = $5, max_leases = $6,
      sweep_due_at = least(r.sweep_due_at, clock_timestamp() + $4::bigint * interval '1 millisecond')
    FROM unnest($1::text[], $2::text[]) AS k (resource_group, kind)
    WHERE (r.resource_group, r.kind) = (k.resource_group, k.kind)`,
};

/** What one page of the sweep did; no row: nothing is due, or other replicas are at it. */
export interface SweepRow {
  readonly resource_group: string;
  readonly kind: string;
  /** Items it added. */
  readonly added: number;
  /** Whether the kind was walked to its end. */
  readonly is_finished: boolean;
}

/**
 * Walks the next 500 resources of the kind whose sweep is due longest: each without an item gets one. Only kinds with a
 * session; SKIP LOCKED lets one replica walk a kind at a time.
 *
 * Items are inserted by key, as the commit batch does; resources that have one are left out beforehand because ON CONFLICT
 * would wait for a batch that is changing it.
 */
export const SWEEP_PAGE: Statement = {
  name: "sweep-page",
  text: `
    WITH target AS MATERIALIZED (
      SELECT r.resource_group, r.kind, r.sweep_cursor, r.resync_period_ms FROM reconciled_kinds r
      WHERE r.sweep_due_at <= clock_timestamp() AND EXISTS (
        SELECT FROM session_kinds k WHERE k.resource_group = r.resource_group AND k.kind = r.kind)
      ORDER BY r.sweep_due_at LIMIT 1 FOR UPDATE SKIP LOCKED),
    page AS MATERIALIZED (
      SELECT r.* FROM target t CROSS JOIN LATERAL (
        SELECT r.id, r.resource_group, r.kind, r.namespace, r.name, r.shard_id,
          r.generation > r.observed_generation AS is_pending, ${PRIORITY_SHIFT} AS priority_shift
        FROM resources r
        WHERE r.resource_group = t.resource_group AND r.kind = t.kind AND r.id > t.sweep_cursor
        ORDER BY r.id LIMIT 500) r),
    walked AS MATERIALIZED (SELECT count(*) < 500 AS is_finished, max(id) AS last_id FROM page),
    added AS (
      INSERT INTO work_items (resource_group, kind, namespace, name, resource_id, shard_id, wanted, due_at, priority,
        priority_shift, reason, is_pending, pending_since, is_ready)
      SELECT p.resource_group, p.kind, p.namespace, p.name, p.id, p.shard_id, 1, clock_timestamp(),
        ${shiftedPriority(2, "p.priority_shift")}, p.priority_shift, 'RESYNC', p.is_pending,
        CASE WHEN p.is_pending THEN clock_timestamp() END, true
      FROM page p
      WHERE NOT EXISTS (SELECT FROM work_items w WHERE w.resource_group = p.resource_group AND w.kind = p.kind
        AND w.namespace = p.namespace AND w.name = p.name)
      ORDER BY p.resource_group, p.kind, p.namespace, p.name
      ON CONFLICT DO NOTHING RETURNING 1),
    moved AS (
      UPDATE reconciled_kinds r SET
        sweep_cursor = CASE WHEN walked.is_finished THEN 0 ELSE walked.last_id END,
        sweep_due_at = CASE WHEN walked.is_finished
          THEN clock_timestamp() + r.resync_period_ms * interval '1 millisecond' ELSE r.sweep_due_at END
      FROM target t, walked WHERE (r.resource_group, r.kind) = (t.resource_group, t.kind))
    SELECT t.resource_group, t.kind, (SELECT count(*) FROM added)::integer AS added, walked.is_finished FROM target t, walked`,
};
