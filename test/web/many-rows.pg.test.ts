/**
 * The table with 100,000 resources, while 100 of them change every second.
 *
 * A frame costs what the page's main thread computes for it, in time of that thread: what other programs take of the two
 * cores meanwhile is not the page's.
 */
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { createResourceClient, type ResourceClient } from "../../src/client/index.js";
import { chromiumPath, launchChromium } from "../support/chromium.js";
import { openDashboard } from "../support/dashboard.js";
import { querySql } from "../support/history.js";
import { createDatabase } from "../support/postgres.js";
import { startServerProcess } from "../support/processes.js";

const ROWS = 100_000;
const CHANGES_PER_SECOND = 100;
const LONGEST_FRAME_MS = 100;
const HEAP_MAX_BYTES = 300 << 20;

describe.skipIf(chromiumPath === undefined)("100,000 rows, in Chromium", () => {
  test("scroll without a frame over 100 ms while 100 changes arrive every second, in less than 300 MB", async () => {
    const database = await createDatabase();
    const server = await startServerProcess({ databaseUrl: database.url });
    await querySql(database.url, SEED);
    await querySql(database.url, "ANALYZE resources"); // as autovacuum would
    const browser = await launchChromium();
    const client = createResourceClient(server.url);
    try {
      const { page, complaints } = await openDashboard(browser, server.url);
      await page.goto("/resources?kind=row");
      await page
        .getByTestId("row-count")
        .getByText(/^100,000$/)
        .waitFor({ timeout: 90_000 });
      const changes = new Changes(client);
      const running = changes.run();
      const frames = await framesOf(browser, page, () => page.evaluate(SCROLL_FOR_4_S));
      changes.stop();
      await running;
      expect(changes.count).toBeGreaterThan(CHANGES_PER_SECOND);
      expect(frames.length).toBeGreaterThan(20);
      expect(Math.max(...frames)).toBeLessThanOrEqual(LONGEST_FRAME_MS);
      expect(await heapBytes(page)).toBeLessThan(HEAP_MAX_BYTES);
      expect(complaints).toEqual([]);
    } finally {
      client.close();
      await browser.close();
      await server.program.kill();
      await database.drop();
    }
  }, 150_000);
});

/** Statuses turn, resources come and go: at every place of the table, in the order of a row's name and not. */
class Changes {
  count = 0;
  readonly #client: ResourceClient;
  #isRunning = true;

  constructor(client: ResourceClient) {
    this.#client = client;
  }

  stop(): void {
    this.#isRunning = false;
  }

  /** Ten at a time, as they come from a server that commits in groups; resolves when all are in. */
  async run(): Promise<void> {
    const changes: Promise<unknown>[] = [];
    for (const began = performance.now(); this.#isRunning; ) {
      for (let i = 0; i < 10; i++) changes.push(this.#change(this.count++));
      await sleep(Math.max(0, began + (this.count * 1_000) / CHANGES_PER_SECOND - performance.now()));
    }
    await Promise.all(changes);
  }

  async #change(number: number): Promise<void> {
    const key = (at: number) => ({
      resourceGroup: "load",
      kind: "row",
      namespace: `space-${at % 20}`,
      name: `row-${String(at).padStart(6, "0")}`,
    });
    const at = (number * 7_919) % ROWS; // far from the one before, and never the same twice
    if (number % 20 === 0) await this.#client.apply({ key: key(ROWS + number), spec: {} });
    else if (number % 20 === 10) await this.#client.delete(key(at));
    else await this.#client.updateStatus(key(at), status(number % 2 === 0));
  }
}

function status(isReady: boolean) {
  return { conditions: [{ type: "Ready", status: isReady ? "True" : "False", reason: "Turned", message: "" }] };
}

const SEED = `
  INSERT INTO resources (id, resource_group, kind, namespace, name, uid, shard_id, log_id, labels, annotations, finalizers,
    spec, status, generation, observed_generation, revision, write_count, bytes, created_at, updated_at)
  SELECT nextval('resource_ids'), 'load', 'row', 'space-' || i % 20, 'row-' || lpad(i::text, 6, '0'), gen_random_uuid(),
    'shard-' || i % 8, 0, '{}', '{}', '[]', '{"size":3}', '${JSON.stringify(status(true))}', 1, 1, 0, 1, 100, now(), now()
  FROM generate_series(0, ${ROWS - 1}) i`;

/** Scrolls at every frame, and now and then far. */
const SCROLL_FOR_4_S = `new Promise((resolve) => {
  const table = document.querySelector('[role="grid"]');
  const end = performance.now() + 4000;
  let frames = 0;
  const frame = (now) => {
    table.scrollTop = ++frames % 30 === 0 ? Math.random() * table.scrollHeight : table.scrollTop + 120;
    if (now < end) requestAnimationFrame(frame);
    else resolve();
  };
  requestAnimationFrame(frame);
})`;

/** What Chromium's trace says of one piece of work; times are microseconds, `tdur` is thread time. */
interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly tdur?: number;
}

/** What the main thread of the page worked from each frame to the next while `look` ran, in milliseconds. */
async function framesOf(browser: Browser, page: Page, look: () => Promise<unknown>): Promise<readonly number[]> {
  await browser.startTracing(page, { categories: ["toplevel", "devtools.timeline"] });
  await look();
  const { traceEvents } = JSON.parse(String(await browser.stopTracing())) as {
    readonly traceEvents: readonly TraceEvent[];
  };
  const callbacks = traceEvents.filter(({ name }) => name === "FireAnimationFrame");
  const isOnMain = ({ pid, tid }: TraceEvent) => pid === callbacks[0]?.pid && tid === callbacks[0].tid;
  const tasks = traceEvents.filter((event) => event.ph === "X" && event.name.endsWith("RunTask") && isOnMain(event));
  const frames: number[] = [];
  let cost = 0;
  for (const event of [...tasks, ...callbacks].sort((a, b) => a.ts - b.ts)) {
    cost += event.name === "FireAnimationFrame" ? 0 : (event.tdur ?? 0) / 1_000;
    // Its callbacks run inside of the task that draws a frame; there may be several of them.
    if (event.name !== "FireAnimationFrame" || cost === 0) continue;
    frames.push(cost);
    cost = 0;
  }
  return frames.slice(1); // the first one counts from the start of the trace
}

/** What is still in use on the heap of the page. */
async function heapBytes(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize, embedderHeapUsedSize, backingStorageSize } = (await session.send("Runtime.getHeapUsage")) as Record<
    "usedSize" | "embedderHeapUsedSize" | "backingStorageSize",
    number
  >;
  return usedSize + embedderHeapUsedSize + backingStorageSize;
}
