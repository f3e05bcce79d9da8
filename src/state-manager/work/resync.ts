import { setTimeout as delay } from "node:timers/promises";
import type { Database } from "../store/database.js";
import { SWEEP_PAGE, type SweepRow } from "../store/statements/reconciled-kinds.js";

/** Between two pages of 500: a sweep adds at most 5,000 items a second and leaves the database to the users. */
const PAGE_INTERVAL_MS = 100;

/**
 * Walks every kind whose resync is due, page by page: each resource without an item gets one at the lowest priority. That is
 * the periodic full pass, and the repair of whatever the queue may have lost (2.8). Ends when nothing is due or `signal` aborts.
 */
export async function resync(database: Database, onPage: (page: SweepRow) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const [page] = await database.query<SweepRow>(SWEEP_PAGE);
    if (page === undefined) return;
    onPage(page);
    await delay(PAGE_INTERVAL_MS, undefined, { signal }).catch(() => {}); // An abort ends the loop.
  }
}
