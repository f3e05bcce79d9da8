import type { DueHint } from "../log/change-log.js";
import type { Database } from "../store/database.js";
import { DELETE_EXPIRED_SESSIONS, type EndedSessionRow } from "../store/statements/sessions.js";
import { type DueRow, EXPIRE_DEADLINES } from "../store/statements/work-items.js";
import { strikeLeasesOf, toDueHints } from "./lease-query.js";

/** What one round of expiry ended. */
export interface Expired {
  readonly sessionIds: readonly string[];
  /** What the leases of those sessions made due. */
  readonly due: readonly DueHint[];
  /** Passes that took longer than their deadline, by kind. */
  readonly overdue: readonly DueRow[];
}

/**
 * Ends sessions nobody renewed and leases past their deadline, a bounded number of each: the next pulse goes on. All were void
 * before on the database clock; this makes their items due. Several replicas may run it at once.
 */
export async function expire(database: Database): Promise<Expired> {
  const { sessionIds, due } = await database.transaction(async (connection) => {
    const deleted = await connection.query<EndedSessionRow>(DELETE_EXPIRED_SESSIONS);
    const due = await strikeLeasesOf(connection, deleted, "it did not renew its session");
    return { sessionIds: deleted.map((row) => row.session_id), due };
  });
  const overdue = await database.query<DueRow>(EXPIRE_DEADLINES);
  return { sessionIds, due: [...due, ...toDueHints(overdue)], overdue };
}
