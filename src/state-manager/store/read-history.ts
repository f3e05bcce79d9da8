import { changeFromRow } from "../log/postgres-change-log.js";
import type { Connection } from "./database.js";
import { type HistoryRow, READ_HISTORY } from "./statements/history.js";
import type { HistoryPage, HistoryPosition, HistoryQuery } from "./store.js";

/** Above every place: no log has the number, and no revision is greater. */
const NEWEST: HistoryPosition = { revision: 2n ** 63n - 1n, log: 32_767 };

/** One page of what the log has kept of a key, shorter than asked for when it would be larger than `maxBytes`. */
export async function readHistory(connection: Connection, query: HistoryQuery): Promise<HistoryPage> {
  const { key, before = NEWEST, limit, maxBytes } = query;
  const { resourceGroup, kind, namespace, name } = key;
  const values = [resourceGroup, kind, namespace, name, before.revision, before.log, limit, maxBytes];
  const rows = await connection.query<HistoryRow>(READ_HISTORY, values);
  const last = rows.at(-1);
  const hasMore = last !== undefined && rows.length < Number(last.found);
  return {
    entries: rows.map((row) => ({ change: changeFromRow(row.log_id, row), committedAt: row.committed_at })),
    next: hasMore ? { revision: last.revision, log: last.log_id } : undefined,
  };
}
