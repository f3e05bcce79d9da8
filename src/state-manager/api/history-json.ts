import type { HistoryEntry } from "../store/store.js";
import { resourceJson } from "./resource-json.js";

/** The `/api/v1` JSON of a page of a history. */
export function historyJson(entries: readonly HistoryEntry[]): string {
  const items = entries.map(
    ({ change, committedAt }) =>
      `{"type":"${change.type}","revision":${change.revision},"committed_at":"${committedAt.toISOString()}"` +
      `,"resource":${resourceJson(change.resource)}}`,
  );
  return `[${items.join(",")}]`;
}
