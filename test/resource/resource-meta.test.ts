import { expect, test } from "vitest";
import { describedBy, metaMembers, type ResourceMeta } from "../../src/resource/resource-meta.js";

const RESOURCE = {
  uid: "5e1f",
  shardId: "s1",
  labels: new Map([["__proto__", "a label like any other"]]),
  annotations: new Map([["note", ""]]),
  finalizers: ["a", "b"],
  owner: { resourceGroup: "apps", kind: "site", name: "mine", uid: "77aa" },
  generation: 9_007_199_254_740_993n,
  observedGeneration: 1n,
  createdAt: new Date("2026-01-02T03:04:05.678Z"),
  updatedAt: new Date("2026-01-02T03:04:06.789Z"),
  deletionRequestedAt: new Date("2026-01-02T03:04:07.890Z"),
};
const metaOf = (resource: typeof RESOURCE): ResourceMeta => JSON.parse(`{${metaMembers(resource)}}`);
const through = (resource: typeof RESOURCE) => describedBy(metaOf(resource));

test("comes back from its JSON text as it was, 64-bit counters and odd keys included", () => {
  expect(through(RESOURCE)).toEqual(RESOURCE);
});

test("of a program that knew no owners has none", () => {
  const { owner: _, ...older } = metaOf(RESOURCE);
  expect(describedBy(JSON.parse(JSON.stringify(older)))).toEqual({ ...RESOURCE, owner: null });
});
