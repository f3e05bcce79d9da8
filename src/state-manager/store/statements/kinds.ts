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
 * Every kind that has resources or a reconciler. Each table is walked once along an index that is in the order of kinds: counting
 * is O(n), and nothing is sorted. The resources are counted in the index alone, where vacuum has been since.
 */
export const COUNT_KINDS: Statement = {
  name: "count-kinds",
  text: `
    WITH stored AS (
      SELECT resource_group, kind, count(*) AS resources FROM resources GROUP BY resource_group, kind),
    unready AS (
      SELECT resource_group, kind, count(*) AS not_ready FROM resources WHERE is_unready GROUP BY resource_group, kind),
    queued AS (
      SELECT resource_group, kind, count(*) FILTER (WHERE is_pending) AS pending,
        count(*) FILTER (WHERE failures > 0) AS failing,
        count(*) FILTER (WHERE quarantined_at IS NOT NULL) AS quarantined,
        count(*) FILTER (WHERE lease_token IS NOT NULL) AS leased,
        count(*) FILTER (WHERE lease_token IS NULL AND due_at <= now()) AS due,
        min(due_at) FILTER (WHERE lease_token IS NULL AND due_at <= now()) AS oldest_due_at
      FROM work_items WHERE resource_id IS NOT NULL GROUP BY resource_group, kind),
    live AS (
      SELECT k.resource_group, k.kind, min(s.reconciler) AS reconciler, count(*)::integer AS sessions
      FROM session_kinds k JOIN sessions s USING (session_id) WHERE s.expires_at > clock_timestamp()
      GROUP BY k.resource_group, k.kind),
    known AS (
      SELECT resource_group, kind FROM stored UNION SELECT resource_group, kind FROM reconciled_kinds)
    SELECT resource_group, kind, coalesce(resources, 0) AS resources, coalesce(not_ready, 0) AS not_ready,
      coalesce(pending, 0) AS pending, coalesce(failing, 0) AS failing, coalesce(quarantined, 0) AS quarantined,
      coalesce(due, 0) AS due, coalesce(leased, 0) AS leased, oldest_due_at, coalesce(reconciler, '') AS reconciler,
      coalesce(sessions, 0) AS sessions
    FROM known LEFT JOIN stored USING (resource_group, kind) LEFT JOIN unready USING (resource_group, kind)
    LEFT JOIN queued USING (resource_group, kind) LEFT JOIN live USING (resource_group, kind)
    ORDER BY resource_group, kind`,
};
