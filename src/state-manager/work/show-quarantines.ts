import type { Database } from "../store/database.js";
import type { WorkItemRow } from "../store/read-states.js";
import { FIND_UNSHOWN_QUARANTINES } from "../store/statements/work-items.js";
import type { CommandSink } from "../store/store.js";

/**
 * Makes quarantined resources say so in a condition, a bounded number of them: the next pulse goes on. Apart from the statement
 * that quarantines, which locks no resource; a crash in between is made good by the pulse of any replica. Several may run it
 * at once: the second finds nothing to write.
 */
export async function showQuarantines(database: Database, sink: CommandSink): Promise<void> {
  const rows =
    await database.query<Pick<WorkItemRow, "resource_group" | "kind" | "namespace" | "name">>(FIND_UNSHOWN_QUARANTINES);
  const showing = rows.map(({ resource_group: resourceGroup, kind, namespace, name }) =>
    sink.submit({ type: "show-quarantine", key: { resourceGroup, kind, namespace, name } }),
  );
  // All are awaited before the first failure is thrown: none is left to finish unseen.
  for (const result of await Promise.allSettled(showing)) if (result.status === "rejected") throw result.reason;
}
