import type { ClientHistoryEntry, ClientResource, ResourceClient, ResourceKey } from "../client/index.js";

/** A change and what stood before it; undefined when the log no longer has that, or for a resource that is new. */
export interface Step {
  readonly entry: ClientHistoryEntry;
  readonly before: ClientResource | undefined;
}

/** The newest changes of a key, newest first, at most `limit`. */
export async function* recentChanges(client: ResourceClient, key: ResourceKey, limit: number): AsyncGenerator<Step> {
  let newer: ClientHistoryEntry | undefined;
  let count = 0;
  for await (const entry of client.history(key, { pageSize: Math.min(limit + 1, 1_000) })) {
    if (newer !== undefined)
      yield { entry: newer, before: entry.resource.uid === newer.resource.uid ? entry.resource : undefined };
    newer = undefined;
    if (count++ === limit) return;
    newer = entry;
  }
  if (newer !== undefined) yield { entry: newer, before: undefined };
}
