import { expect, onTestFinished, test } from "vitest";
import { openTestStore } from "../../support/store.js";
import { thing } from "../../support/things.js";

test("finds what is pending or being deleted, of one log and one shard, however many settled resources lie between", async () => {
  const store = await openTestStore({ logCount: 2 });
  onTestFinished(() => store.close());
  const names = ["settled", "pending", "deleting", "elsewhere"];
  for (const name of names) {
    const finalizers = name === "deleting" ? ["test/hold"] : [];
    const shardId = name === "elsewhere" ? "s2" : "s1";
    await store.sink.submit({ type: "create", input: thing(name, { finalizers, shardId }) });
  }
  const { key } = thing("deleting");
  await store.sink.submit({ type: "delete", key, expected: {} });
  for (const [name, observedGeneration] of [["settled", 1n] as const, ["deleting", 2n] as const]) {
    const status = { statusJson: null, observedGeneration, metadata: undefined, expected: {} };
    await store.sink.submit({ type: "update-status", key: thing(name).key, ...status });
  }
  const find = async (log: number, shardId?: string) => {
    const page = await store.readUnsettled({ log, shardId, afterId: 0n });
    expect(await store.readUnsettled({ log, shardId, afterId: page.lastId ?? -1n })).toEqual({ resources: [] });
    return page.resources.map((resource) => `${resource.shardId}/${resource.key.name}`);
  };
  // s1 and s2 are in different logs.
  const [one, two] = [await find(0), await find(1)];
  expect([...one, ...two].sort()).toEqual(["s1/deleting", "s1/pending", "s2/elsewhere"]);
  expect(one.some((found) => found.startsWith("s1")) && one.includes("s2/elsewhere")).toBe(false);
  const log = one.includes("s1/pending") ? 0 : 1;
  expect(await find(log, "s1")).toEqual(["s1/pending", "s1/deleting"]);
  expect(await find(log, "s2")).toEqual([]);
});
