import type { ResourceKey } from "../../resource/key.js";
import { requireExisting } from "../../resource/preconditions.js";
import { explainFinalizer, type FinalizerHold, workState } from "../../resource/work-state.js";
import type { Database } from "../store/database.js";
import { type WorkItemRow, workItemFromRow } from "../store/read-states.js";
import {
  EXPLAIN_WORK,
  type ExplainRow,
  FIND_FINALIZER_OWNERS,
  type FinalizerOwnerRow,
} from "../store/statements/explain-work.js";
import type { WorkDetails } from "./work-service.js";

/** GetWork without the session of the holder: at most two statements, no locks. Throws NOT_FOUND. */
export async function explainWork(database: Database, key: ResourceKey): Promise<Omit<WorkDetails, "holder">> {
  const { resourceGroup, kind, namespace, name } = key;
  const rows = await database.query<ExplainRow>(EXPLAIN_WORK, [resourceGroup, kind, namespace, name]);
  const row = requireExisting(rows[0], key);
  const item = hasItem(row) ? workItemFromRow(row) : undefined;
  return {
    state: workState(item, { isLeaseValid: row.is_lease_valid, isDue: row.is_due }),
    item,
    reconciler: row.reconciler ?? "",
    deletionRequestedAt: row.deletion_requested_at,
    finalizers: await explainFinalizers(database, key, row),
    ownedResources: row.owned,
  };
}

async function explainFinalizers(database: Database, key: ResourceKey, row: ExplainRow): Promise<FinalizerHold[]> {
  const finalizers = [...new Set(JSON.parse(row.finalizers) as string[])];
  if (finalizers.length === 0) return [];
  const values = [finalizers, key.resourceGroup, key.kind];
  const owners = new Map(
    (await database.query<FinalizerOwnerRow>(FIND_FINALIZER_OWNERS, values)).map((owner) => [owner.finalizer, owner]),
  );
  const resource = {
    isDeletionRequested: row.deletion_requested_at !== null,
    isQuarantined: row.quarantined_at !== null,
    ownedResources: row.owned,
    ownedExample: row.owned_kind === null ? "" : `${row.owned_kind}/${row.owned_name}`,
  };
  return finalizers.map((finalizer) => {
    const owner = owners.get(finalizer);
    return explainFinalizer(finalizer, owner && { reconciler: owner.reconciler, isLive: owner.is_live }, resource);
  });
}

/** The outer join fills all columns of an item, or none. */
function hasItem(row: ExplainRow): row is ExplainRow & WorkItemRow {
  return row.wanted !== null;
}
