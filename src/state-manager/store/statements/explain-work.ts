import { OWNED_COUNT_MAX } from "../../../resource/work-state.js";
import type { Statement } from "../database.js";
import type { WorkItemRow } from "../read-states.js";
import { WORK_ITEM_COLUMNS } from "./commit-work-items.js";
import { IS_DUE, IS_LEASE_VALID } from "./list-work.js";

/** What GetWork reads of one resource; the item's columns are null when there is no item. */
export type ExplainRow = { readonly [column in keyof WorkItemRow]: WorkItemRow[column] | null } & {
  /** A JSON array. */
  readonly finalizers: string;
  readonly deletion_requested_at: Date | null;
  readonly is_lease_valid: boolean;
  readonly is_due: boolean;
  /** The reconciler of the kind with live sessions. */
  readonly reconciler: string | null;
  readonly owned: number;
  /** One of the owned resources: kind and name. */
  readonly owned_kind: string | null;
  readonly owned_name: string | null;
};

/** $1..$4 key: the resource's item and what surrounds it. No row: there is no such resource. Locks nothing. */
export const EXPLAIN_WORK: Statement = {
  name: "explain-work",
  text: `
    SELECT ${WORK_ITEM_COLUMNS}, r.finalizers, r.deletion_requested_at,
      ${IS_LEASE_VALID} AS is_lease_valid, ${IS_DUE} AS is_due,
      (SELECT s.reconciler FROM session_kinds k JOIN sessions s USING (session_id)
        WHERE k.resource_group = r.resource_group AND k.kind = r.kind AND s.expires_at > clock_timestamp() LIMIT 1)
        AS reconciler,
      (SELECT count(*) FROM (SELECT FROM resources o WHERE o.owner_uid = r.uid LIMIT ${OWNED_COUNT_MAX}) o)::integer AS owned,
      example.kind AS owned_kind, example.name AS owned_name
    FROM resources r
    LEFT JOIN work_items w ON (w.resource_group, w.kind, w.namespace, w.name) = ($1, $2, $3, $4)
    LEFT JOIN LATERAL (
      SELECT o.kind, o.name FROM resources o WHERE o.owner_uid = r.uid ORDER BY o.id LIMIT 1) AS example ON true
    WHERE (r.resource_group, r.kind, r.namespace, r.name) = ($1, $2, $3, $4)`,
};

/** Who registered a finalizer. */
export interface FinalizerOwnerRow {
  readonly finalizer: string;
  readonly reconciler: string;
  readonly is_live: boolean;
}

/**
 * $1 finalizers, $2 group, $3 kind: the reconcilers that registered them, for any kind: a finalizer may be put on resources of
 * others. Those with live sessions go first, then the last one of this kind. No row for one that nobody is known to have.
 */
export const FIND_FINALIZER_OWNERS: Statement = {
  name: "find-finalizer-owners",
  text: `
    SELECT DISTINCT ON (o.finalizer) o.finalizer, o.reconciler, o.is_live
    FROM (
      SELECT s.finalizer, s.reconciler, true AS is_live, false AS is_of_kind FROM sessions s
      WHERE s.finalizer = ANY ($1::text[]) AND s.expires_at > clock_timestamp()
      UNION ALL
      SELECT k.finalizer, k.reconciler, false, (k.resource_group, k.kind) = ($2, $3) FROM reconciled_kinds k
      WHERE k.finalizer = ANY ($1::text[])) o
    WHERE o.finalizer <> ''
    ORDER BY o.finalizer, o.is_live DESC, o.is_of_kind DESC, o.reconciler`,
};
