import type { Connection } from "./database.js";
import { COUNT_KINDS, type KindRow } from "./statements/kinds.js";
import type { KindSummary } from "./store.js";

/** Every kind that has resources or a reconciler, by group and kind. */
export async function countKinds(connection: Connection): Promise<KindSummary[]> {
  const rows = await connection.query<KindRow>(COUNT_KINDS);
  return rows.map(({ resource_group, not_ready, oldest_due_at, ...row }) => ({
    ...row,
    resourceGroup: resource_group,
    notReady: not_ready,
    oldestDueAt: oldest_due_at,
  }));
}
