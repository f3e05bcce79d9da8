import type { Statement } from "../database.js";

/** A row of `COUNT_KINDS`. */
export interface KindRow {
  readonly resource_group: string;
  readonly kind: string;
  readonly resources: bigint;
  readonly not_ready: bigint;
  readonly pending: bigint;
  readonly failing: bigint;
  readonly quarantined: bigint;
  readonly due: bigint;
  readonly leased: bigint;
  readonly oldest_due_at: Date | null;
  readonly reconciler: string;
  readonly sessions: number;
}

/**
 * For the transaction that counts: whole tables are what scans are best at (5 times faster here than the walk along an index that
 * has not been vacuumed), and it takes no lock that could block the log for longer.
 */
export const FOR_LONG_WALKS: Statement = {
  name: "for-long-walks",
  text: "SET LOCAL enable_seqscan = on; SET LOCAL transaction_timeout = '10s'",
};

/** Every kind that has resources or a reconciler. Walks every table once: O(n), and nothing large is sorted. */
export const COUNT_KINDS: Statement = {
  name: "count-kinds",
  text: `
    SELECT resource_group, kind, sum(resources)::bigint AS resources, sum(not_ready)::bigint AS not_ready,
      sum(pending)::bigint AS pending, sum(failing)::bigint AS failing, sum(quarantined)::bigint AS quarantined,
      sum(due)::bigint AS due, sum(leased)::bigint AS leased, min(oldest_due_at) AS oldest_due_at,
      max(reconciler) AS reconciler, sum(sessions)::integer AS sessions
    FROM (
      SELECT resource_group, kind, count(*) AS resources, 0 AS not_ready, 0 AS pending, 0 AS failing, 0 AS quarantined,
        0 AS due, 0 AS leased, NULL::timestamptz AS oldest_due_at, '' AS reconciler, 0 AS sessions
      FROM resources GROUP BY resource_group, kind
      UNION ALL
      SELECT resource_group, kind, 0, count(*), 0, 0, 0, 0, 0, NULL, '', 0
      FROM resources WHERE is_unready GROUP BY resource_group, kind
      UNION ALL
      SELECT resource_group, kind, 0, 0, count(*) FILTER (WHERE is_pending), count(*) FILTER (WHERE failures > 0),
        count(*) FILTER (WHERE quarantined_at IS NOT NULL),
        count(*) FILTER (WHERE lease_token IS NULL AND due_at <= now()), count(*) FILTER (WHERE lease_token IS NOT NULL),
        min(due_at) FILTER (WHERE lease_token IS NULL AND due_at <= now()), '', 0
      FROM work_items WHERE resource_id IS NOT NULL GROUP BY resource_group, kind
      UNION ALL
      SELECT k.resource_group, k.kind, 0, 0, 0, 0, 0, 0, 0, NULL, s.reconciler, count(*)
      FROM session_kinds k JOIN sessions s USING (session_id) WHERE s.expires_at > now()
      GROUP BY k.resource_group, k.kind, s.reconciler
      UNION ALL
      SELECT resource_group, kind, 0, 0, 0, 0, 0, 0, 0, NULL, '', 0 FROM reconciled_kinds) AS part
    GROUP BY resource_group, kind ORDER BY resource_group, kind`,
};
