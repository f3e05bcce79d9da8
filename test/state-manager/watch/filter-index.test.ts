import { describe, expect, it } from "vitest";
import type { LabelSelector } from "../../../src/resource/label-selector.js";
import type { ResourceFilter } from "../../../src/resource/resource-filter.js";
import { toWatchEvent } from "../../../src/state-manager/watch/event-filter.js";
import { FilterIndex } from "../../../src/state-manager/watch/filter-index.js";
import { TestHistory } from "../../support/changes.js";
import { Random } from "../../support/seed.js";

const owner = (uid: string) => ({ resourceGroup: "apps", kind: "Owner", name: "o", uid });

function selector(...requirements: readonly (readonly [string, ...string[]])[]): LabelSelector {
  return { requirements: requirements.map(([key, ...values]) => ({ key, values })) };
}

function indexOf(...filters: readonly ResourceFilter[]): FilterIndex<ResourceFilter> {
  const index = new FilterIndex<ResourceFilter>();
  for (const filter of filters) index.add(filter, filter);
  return index;
}

describe("FilterIndex", () => {
  it("finds the one of 5,000 names, and looks at no other", () => {
    const filters = Array.from({ length: 5_000 }, (_, i) => ({ kind: "Widget", name: `n${i}` }));
    const key = { resourceGroup: "apps", kind: "Widget", namespace: "default", name: "n4711" };
    const change = new TestHistory().append({ resource: { key } });
    expect([...indexOf(...filters).find(change)]).toEqual([filters[4711]]);
  });

  it("finds a selector that a change leaves, and the one that it enters", () => {
    const [left, entered, other] = ["a", "b", "c"].map((value) => ({ labels: selector(["app", value, "x"]) }));
    const fields = { resource: { labels: new Map([["app", "b"]]) }, previousLabels: new Map([["app", "a"]]) };
    const found = indexOf(left ?? {}, entered ?? {}, other ?? {}).find(new TestHistory().append(fields));
    expect([...found]).toEqual([left, entered]);
  });

  it("finds the owner that a resource had, and the one that it has", () => {
    const filters = ["u1", "u2", "u3"].map((ownerUid) => ({ ownerUid }));
    const change = new TestHistory().append({ resource: { owner: owner("u2") }, previousOwnerUid: "u1" });
    expect([...indexOf(...filters).find(change)]).toEqual(filters.slice(0, 2));
  });

  it("finds the shard that a resource moves out of", () => {
    const filters = ["s0", "s1"].map((shardId) => ({ shardId }));
    const change = new TestHistory().append({ type: "DELETED", resource: { shardId: "s0" }, movedTo: "s1" });
    expect([...indexOf(...filters).find(change)]).toEqual([filters[0]]);
  });

  it("forgets what is deleted", () => {
    const filters = [{}, { name: "a" }, { labels: selector(["app", "a", "b"], ["tier", "x"]) }];
    const index = indexOf(...filters);
    for (const filter of filters) index.delete(filter, filter);
    const labels = new Map([
      ["app", "a"],
      ["tier", "x"],
    ]);
    expect(index.find(new TestHistory().append({ resource: { labels } })).size).toBe(0);
    index.delete({ name: "a" }, filters[1] ?? {});
  });

  it("leaves out no filter that makes an event of a change, whatever both are", () => {
    const random = new Random(11);
    const pick = <T>(...items: readonly T[]) => random.pick(items);
    const labels = () =>
      new Map([...["app", "tier"]].filter(() => random.below(10) < 7).map((key) => [key, pick("a", "b", "")]));
    const filters = Array.from({ length: 300 }, (): ResourceFilter => {
      const values = () => [pick("a", "b", ""), ...(random.below(10) < 3 ? ["c"] : [])] as const;
      return {
        kind: pick(undefined, "K", "L"),
        namespace: pick(undefined, undefined, "x", "y"),
        name: pick(undefined, undefined, "m", "n"),
        shardId: pick(undefined, undefined, "s0", "s1"),
        ownerUid: pick(undefined, undefined, "u1", "u2"),
        labels: pick(undefined, selector(["app", ...values()]), selector(["app", ...values()], ["tier", ...values()])),
      };
    });
    const index = indexOf(...filters);
    const history = new TestHistory();
    let events = 0;
    for (let i = 0; i < 500; i++) {
      const type = pick("ADDED", "MODIFIED", "DELETED");
      const change = history.append({
        type,
        resource: {
          key: { resourceGroup: "apps", kind: pick("K", "L"), namespace: pick("x", "y"), name: pick("m", "n") },
          shardId: pick("s0", "s1"),
          labels: labels(),
          owner: pick(null, owner("u1"), owner("u2")),
        },
        previousLabels: type === "ADDED" ? null : labels(),
        previousOwnerUid: type === "ADDED" ? null : pick(null, "u1", "u2"),
      });
      const found = index.find(change);
      const concerned = filters.filter((filter) => toWatchEvent(filter, change) !== undefined);
      expect(concerned.filter((filter) => !found.has(filter))).toEqual([]);
      events += concerned.length;
    }
    expect(events).toBeGreaterThan(1_000);
  });
});
