import type { Database } from "./database.js";
import { COUNT_KINDS, FOR_LONG_WALKS, type KindRow } from "./statements/kinds.js";
import type { KindSummary } from "./store.js";

/** Every kind that has resources or a reconciler, by group and kind. UNAVAILABLE when counting takes longer than 10 s. */
export async function countKinds(database: Database): Promise<KindSummary[]> {
  const rows = await database.transaction(async (connection) => {
    await connection.query(FOR_LONG_WALKS);
    return connection.query<KindRow>(COUNT_KINDS);
  });
  return rows.map(({ resource_group, not_ready, oldest_due_at, ...row }) => ({
    ...row,
    resourceGroup: resource_group,
    notReady: not_ready,
    oldestDueAt: oldest_due_at,
  }));
}
