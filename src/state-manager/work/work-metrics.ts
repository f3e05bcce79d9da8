import type { KindRef } from "../../resource/key.js";
import type { PassReport } from "../../resource/work.js";
import type { Metrics } from "../observability/metrics.js";
import type { Database } from "../store/database.js";
import { COUNT_WORK, type DepthRow } from "../store/statements/work-items.js";
import type { MarkedItem } from "./lease-query.js";

/** Leases whose start is remembered for the duration of the pass; the oldest goes first and is not measured. */
const MAX_STARTS = 10_000;

/** Scrapers of several kinds share one count of the queue. */
const COUNT_MAX_AGE_MS = 10_000;

/** The queue's numbers, under the names client-go made common. */
export class WorkMetrics {
  readonly #metrics: Metrics;
  readonly #database: Database;
  /** When each lease given out here began. A report that comes to another replica is not measured. */
  readonly #starts = new Map<string, number>();
  #countedAt = Number.NEGATIVE_INFINITY;
  #counting: Promise<void> | undefined;

  constructor(metrics: Metrics, database: Database) {
    this.#metrics = metrics;
    this.#database = database;
    const collect = () => this.#count();
    // Computed when scraped: an idle replica must not count a queue that nobody looks at.
    Object.assign(metrics.workqueueDepth, { collect });
    Object.assign(metrics.workqueueLeases, { collect });
  }

  added(kind: KindRef, items: number): void {
    this.#metrics.workqueueAdds.inc(labelsOf(kind), items);
  }

  leased(items: readonly MarkedItem[]): void {
    for (const { key, leaseToken, waitedMs } of items) {
      this.#metrics.workqueueQueueDuration.observe(labelsOf(key), waitedMs / 1000);
      this.#starts.set(leaseToken, performance.now());
    }
    for (const oldest of this.#starts.keys()) {
      if (this.#starts.size <= MAX_STARTS) break;
      this.#starts.delete(oldest);
    }
  }

  reported({ key, leaseToken, result }: PassReport): void {
    const start = this.#starts.get(leaseToken);
    this.#starts.delete(leaseToken);
    if (start !== undefined) {
      this.#metrics.workqueueWorkDuration.observe(labelsOf(key), (performance.now() - start) / 1000);
    }
    if (result.type === "ERROR") this.failed(key, 1);
  }

  failed(kind: KindRef, passes: number): void {
    this.#metrics.workqueueRetries.inc(labelsOf(kind), passes);
  }

  #count(): Promise<void> {
    this.#counting ??= this.#countNow().finally(() => {
      this.#counting = undefined;
    });
    return this.#counting;
  }

  async #countNow(): Promise<void> {
    if (performance.now() - this.#countedAt < COUNT_MAX_AGE_MS) return;
    // The other metrics matter most while the database is away: these two are left out then.
    const rows = await this.#database.query<DepthRow>(COUNT_WORK).catch(() => undefined);
    this.#metrics.workqueueDepth.reset();
    this.#metrics.workqueueLeases.reset();
    if (rows === undefined) return;
    this.#countedAt = performance.now();
    for (const { resource_group, kind, due, leased } of rows) {
      this.#metrics.workqueueDepth.set({ resource_group, kind }, due);
      this.#metrics.workqueueLeases.set({ resource_group, kind }, leased);
    }
  }
}

function labelsOf({ resourceGroup, kind }: KindRef): { readonly resource_group: string; readonly kind: string } {
  return { resource_group: resourceGroup, kind };
}
