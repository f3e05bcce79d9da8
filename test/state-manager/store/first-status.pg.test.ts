import { afterAll, beforeAll, expect, test } from "vitest";
import { fillQueue, leaseNow, openWork, registration, reportOf, type Work } from "../work/open-work.js";

let work: Work;
beforeAll(async () => {
  work = await openWork();
});
afterAll(() => work.close());

/** The page each resource is on. */
const pages = () => work.sql<{ id: string; page: string }>("SELECT id, (ctid::text::point)[0] AS page FROM resources");

test("the first status of many new resources at once is written beside what was there, without a new index entry", async () => {
  const { sessionId } = await work.queue.register(registration({ concurrency: 1_000 }));
  await fillQueue(work, 500);
  const before = await pages();
  const items = await leaseNow(work, sessionId, 500);
  const statusJson = JSON.stringify({ phase: "Ready", message: "x".repeat(40) });
  const reports = items.map((item) => ({ ...reportOf(item), statusJson }));
  const results = await work.queue.report(sessionId, reports);
  expect(results.filter(({ outcome }) => outcome === "ACCEPTED")).toHaveLength(500);
  expect(new Set(before.map(({ page }) => page)).size).toBeGreaterThan(10);
  expect(new Map((await pages()).map(({ id, page }) => [id, page]))).toEqual(
    new Map(before.map(({ id, page }) => [id, page])),
  );
});
