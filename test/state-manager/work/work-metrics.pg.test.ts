import { afterAll, beforeAll, expect, test } from "vitest";
import { first, keyOf, leaseNow, openWork, registration, report, type Work, write } from "./open-work.js";

let work: Work;
beforeAll(async () => {
  work = await openWork();
});
afterAll(() => work.close());

/** The samples of the queue's metrics for the tests' kind, by name. */
async function scrape(): Promise<Map<string, number>> {
  const lines = (await work.metrics.registry.metrics()).split("\n");
  const samples = lines.filter((line) => line.startsWith("workqueue_") && line.includes('kind="Widget"'));
  return new Map(
    samples
      .filter((line) => !line.includes("_bucket"))
      .map((line) => [line.slice(0, line.indexOf("{")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

test("shows depth, leases, waits, passes and retries by kind, and counts the queue once for many scrapes", async () => {
  const { sessionId } = await work.queue.register(registration());
  for (const name of ["a", "b", "c"]) await write(work, name);
  await work.queue.enqueue(keyOf("a"), "");
  const item = first(await leaseNow(work, sessionId, 1));
  const seen = await scrape();
  expect(seen.get("workqueue_depth")).toBe(2);
  expect(seen.get("workqueue_leases")).toBe(1);
  expect(seen.get("workqueue_queue_duration_seconds_count")).toBe(1);
  await report(work, sessionId, item, { type: "ERROR", error: "x" });
  const after = await scrape();
  expect(after.get("workqueue_work_duration_seconds_count")).toBe(1);
  expect(after.get("workqueue_retries_total")).toBe(1);
  expect((await work.statements()).get("count-work")).toBe(1);
});
