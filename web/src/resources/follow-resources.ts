import { PayloadEncoding } from "../../../gen/reconcile/v1/resource_pb.js";
import { ApiError, isTokenRefused, isUnavailable } from "../../../src/client/api-error.js";
import { readResource } from "../../../src/client/client-resource.js";
import type { Connection } from "../../../src/client/connection.js";
import type { ResourceSelection } from "../../../src/client/resource-client.js";
import { watchResources } from "../../../src/client/resource-watch.js";
import { pause, retryDelayMs } from "../../../src/client/retry.js";
import { ROWS_MAX, type RowStore } from "./row-store.js";

/** Small enough that reading a page leaves the tab time to draw. */
const PAGE_SIZE = 2_000;

/**
 * Keeps `store` as the server is, until `signal` aborts: reads all pages, then follows the changes since the first one, through
 * restarts of the server. History that no longer covers the place means reading all pages again (I4).
 *
 * Lists and does not ask the watch for what exists, because a list can stop at the most rows that are held.
 *
 * Rejects when the server refuses the selection.
 */
export async function followResources(
  { resources }: Connection,
  selection: ResourceSelection,
  store: RowStore,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 0; !signal.aborted; ) {
    try {
      const resumeToken = await readPages(resources, selection, store, signal);
      failures = 0;
      for await (const { events } of watchResources(resources, selection, { resumeToken, signal, isSummary: true })) {
        for (const event of events) {
          if (event.type === "DELETED") store.remove(event.resource);
          else if ("resource" in event) store.put(event.resource, true);
        }
      }
      return;
    } catch (error) {
      if (signal.aborted) return;
      const apiError = ApiError.from(error);
      if (!isTokenRefused(apiError) && !isUnavailable(apiError)) throw apiError;
      await pause(retryDelayMs(++failures), signal);
    }
  }
}

/** Puts every page into the store, as it comes; returns where to follow from. The next page is on its way meanwhile. */
async function readPages(
  resources: Connection["resources"],
  filter: ResourceSelection,
  store: RowStore,
  signal: AbortSignal,
): Promise<string> {
  const uids = new Set<string>();
  const readPage = (pageToken: string) => {
    const request = { filter, pageSize: PAGE_SIZE, pageToken, payloadEncoding: PayloadEncoding.SUMMARY };
    return resources.listResources(request, { signal });
  };
  for (let coming = readPage(""); ; ) {
    const page = await coming;
    const isLast = page.nextPageToken === "" || uids.size > ROWS_MAX;
    if (!isLast) coming = readPage(page.nextPageToken);
    for (const wire of page.resources) {
      store.put(readResource(wire), false);
      uids.add(wire.uid);
    }
    if (!isLast) continue;
    store.complete(uids);
    return page.resumeToken;
  }
}
