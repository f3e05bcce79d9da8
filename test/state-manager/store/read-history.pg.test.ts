import { afterAll, beforeAll, expect, test } from "vitest";
import { logOf } from "../../../src/resource/log-of.js";
import { READ_HISTORY } from "../../../src/state-manager/store/statements/history.js";
import type { HistoryEntry, HistoryQuery } from "../../../src/state-manager/store/store.js";
import { planOf } from "../../support/plan.js";
import { openTestStore, type TestStore } from "../../support/store.js";
import { thing, thingKey } from "../../support/things.js";

const LOGS = 4;
let store: TestStore;
beforeAll(async () => {
  store = await openTestStore({ logCount: LOGS });
});
afterAll(() => store.close());

/** Every page, and how many entries each had. */
async function pagesOf(name: string, over: Partial<HistoryQuery> = {}): Promise<HistoryEntry[][]> {
  const pages: HistoryEntry[][] = [];
  let before: HistoryQuery["before"];
  do {
    const query = { key: thingKey(name), before, limit: 100, maxBytes: 1 << 20, ...over };
    const page = await store.reader.history(query);
    pages.push([...page.entries]);
    before = page.next;
  } while (before !== undefined);
  return pages;
}

const typesOf = (pages: HistoryEntry[][]) => pages.flat().map(({ change }) => change.type);

test("tells what the log has kept of a key, newest first, also of an earlier resource of the key", async () => {
  const from = Date.now();
  const created = await store.sink.submit({ type: "create", input: thing("lives", { specJson: "1" }) });
  await store.sink.submit({ type: "update", input: thing("lives", { specJson: "2" }), expected: {} });
  await store.sink.submit({ type: "create", input: thing("another") });
  await store.sink.submit({ type: "delete", key: thingKey("lives"), expected: {} });
  const again = await store.sink.submit({ type: "create", input: thing("lives", { specJson: "3" }) });
  const [page = [], ...rest] = await pagesOf("lives");
  expect(rest).toEqual([]);
  expect(page.map(({ change }) => [change.type, change.resource.specJson, change.resource.uid])).toEqual([
    ["ADDED", "3", again.resource?.uid],
    ["DELETED", "2", created.resource?.uid],
    ["MODIFIED", "2", created.resource?.uid],
    ["ADDED", "1", created.resource?.uid],
  ]);
  expect(page[0]?.change.resource).toEqual(again.resource);
  for (const { committedAt } of page) expect(Math.abs(committedAt.getTime() - from)).toBeLessThan(60_000);
  expect(await pagesOf("nobody")).toEqual([[]]);
});

test("pages lead on without a gap or a repetition, even where logs have the same numbers", async () => {
  // One shard per log: the first events of each have the same numbers.
  const shards = Array.from({ length: 100 }, (_, i) => `shard-${i}`);
  const oneEach = [...new Map(shards.map((shard) => [logOf(shard, LOGS), shard])).values()];
  expect(oneEach).toHaveLength(LOGS);
  for (const shardId of oneEach) await store.sink.submit({ type: "apply", input: thing("moves", { shardId }) });
  const [whole = []] = await pagesOf("moves");
  expect(typesOf([whole]).sort()).toEqual([...Array(LOGS).fill("ADDED"), ...Array(LOGS - 1).fill("DELETED")]);
  for (const limit of [1, 2, 3]) {
    const pages = await pagesOf("moves", { limit });
    expect(pages.flat()).toEqual(whole);
    expect(pages.every((page) => page.length <= limit)).toBe(true);
  }
});

test("a page ends before it is larger than asked for; its first entry always comes", async () => {
  const large = (fill: string) => thing("large", { specJson: JSON.stringify(fill.repeat(100_000)) });
  for (const fill of ["a", "b", "c", "d"]) await store.sink.submit({ type: "apply", input: large(fill) });
  const sizes = async (maxBytes: number) => (await pagesOf("large", { maxBytes })).map((page) => page.length);
  expect(await sizes(250_000)).toEqual([2, 2]);
  expect(await sizes(1_000)).toEqual([1, 1, 1, 1]);
});

test("is read by its index alone", async () => {
  const values = ["'g'", "'k'", "'n'", "'a'", "5", "0", "50", "1000"];
  const nodes = await planOf(store.database, READ_HISTORY, values);
  const scans = nodes.filter((node) => node["Relation Name"]?.startsWith("events"));
  expect(scans.length).toBeGreaterThan(0);
  for (const scan of scans) expect(scan["Index Name"]).toContain("name_revision_idx");
});
