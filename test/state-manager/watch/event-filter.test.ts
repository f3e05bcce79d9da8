import { describe, expect, it } from "vitest";
import type { ChangeType } from "../../../src/resource/change.js";
import type { ResourceFilter } from "../../../src/resource/resource-filter.js";
import { filterId, toWatchEvent } from "../../../src/state-manager/watch/event-filter.js";
import { TestHistory } from "../../support/changes.js";

const WEB: ResourceFilter = { labels: { requirements: [{ key: "tier", values: ["web", "api"] }] } };
const web = new Map([["tier", "web"]]);
const db = new Map([["tier", "db"]]);

function typeSeen(
  type: ChangeType,
  before: ReadonlyMap<string, string> | null,
  after: ReadonlyMap<string, string>,
  hasBefore = true,
) {
  const change = new TestHistory().append({ type, previousLabels: before, resource: { labels: after } });
  return toWatchEvent(WEB, change, hasBefore)?.type;
}

describe("toWatchEvent", () => {
  it("follows the table of SPEC.md", () => {
    expect(typeSeen("ADDED", null, web)).toBe("ADDED");
    expect(typeSeen("ADDED", null, db)).toBeUndefined();
    expect(typeSeen("MODIFIED", web, web)).toBe("MODIFIED");
    expect(typeSeen("MODIFIED", db, web)).toBe("ADDED");
    expect(typeSeen("MODIFIED", web, db)).toBe("DELETED");
    expect(typeSeen("MODIFIED", db, db)).toBeUndefined();
    expect(typeSeen("DELETED", web, web)).toBe("DELETED");
    // The write that removed it also changed its labels: what the watcher had counts.
    expect(typeSeen("DELETED", web, db)).toBe("DELETED");
    expect(typeSeen("DELETED", db, web)).toBeUndefined();
  });

  it("counts a state the watcher was not sent as not matching", () => {
    expect(typeSeen("MODIFIED", web, web, false)).toBe("ADDED");
    expect(typeSeen("MODIFIED", web, db, false)).toBeUndefined();
    expect(typeSeen("DELETED", web, web, false)).toBeUndefined();
  });

  it("selects by every field", () => {
    const change = new TestHistory().append({ type: "ADDED" });
    const matching: ResourceFilter = {
      resourceGroup: "apps",
      kind: "Widget",
      namespace: "default",
      name: "a",
      shardId: "s0",
    };
    expect(toWatchEvent(matching, change)?.type).toBe("ADDED");
    for (const field of ["resourceGroup", "kind", "namespace", "name", "shardId"] as const) {
      expect(toWatchEvent({ ...matching, [field]: "other" }, change)).toBeUndefined();
    }
  });

  it("shows a move to the watcher of either shard", () => {
    const history = new TestHistory();
    const left = history.append({ type: "DELETED", movedTo: "s1", resource: { shardId: "s0" } });
    const arrived = history.append({ type: "ADDED", resource: { shardId: "s1" } });
    expect([left, arrived].map((change) => toWatchEvent({ shardId: "s0" }, change))).toMatchObject([
      { type: "DELETED", movedTo: "s1" },
      undefined,
    ]);
    expect([left, arrived].map((change) => toWatchEvent({ shardId: "s1" }, change)?.type)).toEqual([
      undefined,
      "ADDED",
    ]);
  });
});

describe("filterId", () => {
  it("is equal for equal filters only", () => {
    expect(filterId({ kind: "Widget", labels: { requirements: [] } })).toBe(filterId({ kind: "Widget" }));
    const filters: ResourceFilter[] = [
      {},
      { kind: "a" },
      { resourceGroup: "a" },
      { namespace: "a" },
      { name: "a" },
      { shardId: "a" },
      WEB,
    ];
    expect(new Set(filters.map(filterId)).size).toBe(filters.length);
  });
});
