import type { WorkState } from "../../../resource/work-state.js";
import type { Statement } from "../database.js";
import type { WorkItemRow } from "../read-states.js";
import { WORK_ITEM_COLUMNS } from "./commit-work-items.js";

/** Whether the lease of item `w` is in force. */
export const IS_LEASE_VALID = `coalesce(w.lease_deadline > clock_timestamp() AND EXISTS (
        SELECT FROM sessions s WHERE s.session_id = w.lease_session_id AND s.expires_at > clock_timestamp()), false)`;

/** Whether the due time of item `w` has come. */
export const IS_DUE = "coalesce(w.due_at <= clock_timestamp(), false)";

/** A listed item, and what its state depends on. */
export type ListedWorkRow = WorkItemRow & { readonly is_lease_valid: boolean; readonly is_due: boolean };

/** The states an item can have; a settled resource has none. */
export type ItemState = Exclude<WorkState, "SETTLED">;

/**
 * What src/resource/work-state.ts says, as conditions. Those of the rare states are what partial indexes are on, so that they are
 * found among many; the others fill pages fast.
 */
const CONDITIONS: Readonly<Record<ItemState | "ANY", string>> = {
  ANY: "true",
  LEASED: `w.lease_token IS NOT NULL AND ${IS_LEASE_VALID}`,
  QUARANTINED: `w.strikes > 0 AND w.quarantined_at IS NOT NULL AND NOT ${IS_LEASE_VALID}`,
  DUE: `w.quarantined_at IS NULL AND (w.lease_token IS NOT NULL OR ${IS_DUE}) AND NOT ${IS_LEASE_VALID}`,
  WAITING: `w.quarantined_at IS NULL AND w.lease_token IS NULL AND NOT ${IS_DUE}`,
};

/** $1 group, $2 kind ('' matches all), $3..$6 the key to go on after, $7 limit: items by key. */
export function listWork(state: ItemState | "ANY"): Statement {
  return {
    name: `list-work-${state.toLowerCase()}`,
    text: `
      SELECT ${WORK_ITEM_COLUMNS}, ${IS_LEASE_VALID} AS is_lease_valid, ${IS_DUE} AS is_due
      FROM work_items w
      WHERE ($1 = '' OR w.resource_group = $1) AND ($2 = '' OR w.kind = $2)
        AND (w.resource_group, w.kind, w.namespace, w.name) > ($3, $4, $5, $6) AND ${CONDITIONS[state]}
      ORDER BY w.resource_group, w.kind, w.namespace, w.name LIMIT $7`,
  };
}
