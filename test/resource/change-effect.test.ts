import { describe, expect, test } from "vitest";
import type { ChangedBy } from "../../src/resource/change-effect.js";
import { changeEffect } from "../../src/resource/change-effect.js";
import type { Resource } from "../../src/resource/resource.js";

const STORED: Resource = {
  key: { resourceGroup: "apps", kind: "Widget", namespace: "default", name: "a" },
  id: 1n,
  uid: "u",
  shardId: "s",
  labels: new Map([["tier", "web"]]),
  annotations: new Map(),
  finalizers: ["hold"],
  owner: null,
  specJson: "{}",
  statusJson: null,
  generation: 2n,
  observedGeneration: 1n,
  revision: 7n,
  writeCount: 3n,
  createdAt: new Date(0),
  updatedAt: new Date(0),
  deletionRequestedAt: null,
};
const CAUGHT_UP: Resource = { ...STORED, observedGeneration: 2n };

const cutting = (reason: string) => ({ type: "enqueue", reason, cutBackoff: true });
const waiting = (reason: string) => ({ type: "enqueue", reason, cutBackoff: false });
const NONE = { type: "none" };
const SETTLE = { type: "settle", unseen: undefined };
/** A lease in force has not seen what changed beside the status. */
const SETTLE_UNSEEN = { type: "settle", unseen: "METADATA_CHANGED" };
const DELETING: Resource = { ...STORED, deletionRequestedAt: new Date(1) };

/** One change per row: what it means when another user, a status write or the holder made it. */
const TABLE: readonly [string, Resource, Partial<Resource>, object, object, object][] = [
  ["nothing", STORED, {}, NONE, NONE, NONE],
  [
    "a new generation",
    STORED,
    { generation: 3n, specJson: "1" },
    cutting("SPEC_CHANGED"),
    cutting("SPEC_CHANGED"),
    NONE,
  ],
  [
    "a requested deletion",
    STORED,
    { generation: 3n, deletionRequestedAt: new Date(1) },
    cutting("DELETION_REQUESTED"),
    cutting("DELETION_REQUESTED"),
    NONE,
  ],
  [
    "a lowered observed generation",
    CAUGHT_UP,
    { observedGeneration: 0n },
    cutting("STATUS_CHANGED"),
    cutting("STATUS_CHANGED"),
    NONE,
  ],
  ["labels", STORED, { labels: new Map() }, waiting("METADATA_CHANGED"), waiting("METADATA_CHANGED"), NONE],
  [
    "annotations",
    STORED,
    { annotations: new Map([["a", "b"]]) },
    waiting("METADATA_CHANGED"),
    waiting("METADATA_CHANGED"),
    NONE,
  ],
  ["finalizers", STORED, { finalizers: [] }, waiting("METADATA_CHANGED"), waiting("METADATA_CHANGED"), NONE],
  ["the shard", STORED, { shardId: "other" }, waiting("METADATA_CHANGED"), waiting("METADATA_CHANGED"), NONE],
  ["the status", STORED, { statusJson: "1" }, waiting("STATUS_CHANGED"), waiting("STATUS_CHANGED"), NONE],
  [
    "the status of one caught up",
    CAUGHT_UP,
    { statusJson: "1" },
    waiting("STATUS_CHANGED"),
    waiting("STATUS_CHANGED"),
    NONE,
  ],
  [
    "a status that is only written otherwise",
    { ...CAUGHT_UP, statusJson: '{"a":1,"b":[]}' },
    { statusJson: '{ "b": [], "a": 1.0 }' },
    NONE,
    NONE,
    NONE,
  ],
  ["a null status where none was", CAUGHT_UP, { statusJson: "null" }, NONE, NONE, NONE],
  ["catching up", STORED, { observedGeneration: 2n }, NONE, SETTLE, NONE],
  [
    "catching up with a status",
    STORED,
    { observedGeneration: 2n, statusJson: "1" },
    waiting("STATUS_CHANGED"),
    SETTLE,
    NONE,
  ],
  [
    "catching up with labels",
    STORED,
    { observedGeneration: 2n, labels: new Map() },
    waiting("METADATA_CHANGED"),
    SETTLE_UNSEEN,
    NONE,
  ],
  [
    "catching up with the operator's finalizer",
    STORED,
    { observedGeneration: 2n, statusJson: "1", finalizers: ["hold", "operator"] },
    waiting("METADATA_CHANGED"),
    SETTLE_UNSEEN,
    NONE,
  ],
  [
    "catching up with annotations and another shard",
    STORED,
    { observedGeneration: 2n, annotations: new Map([["a", "b"]]), shardId: "other" },
    waiting("METADATA_CHANGED"),
    SETTLE_UNSEEN,
    NONE,
  ],
  [
    "catching up while a finalizer keeps what is to go",
    DELETING,
    { observedGeneration: 2n },
    NONE,
    waiting("STATUS_CHANGED"),
    NONE,
  ],
  [
    "catching up without one of the finalizers of what is to go",
    { ...DELETING, finalizers: ["hold", "operator"] },
    { observedGeneration: 2n, finalizers: ["hold"] },
    waiting("METADATA_CHANGED"),
    waiting("METADATA_CHANGED"),
    NONE,
  ],
  [
    "a finalizer and a part of the way",
    { ...STORED, generation: 9n },
    { observedGeneration: 5n, finalizers: ["hold", "operator"] },
    waiting("METADATA_CHANGED"),
    waiting("METADATA_CHANGED"),
    NONE,
  ],
  [
    "raising the observed generation part of the way",
    { ...STORED, generation: 9n },
    { observedGeneration: 5n },
    NONE,
    NONE,
    NONE,
  ],
];

describe("changeEffect", () => {
  for (const [what, before, change, byOther, byStatusWrite, byHolder] of TABLE) {
    const expected: Record<ChangedBy, object> = {
      other: byOther,
      "status-write": byStatusWrite,
      holder: byHolder,
      server: NONE,
    };
    test.each(Object.keys(expected) as ChangedBy[])(`${what} by %s`, (by) => {
      expect(changeEffect(before, { ...before, ...change }, by)).toEqual(expected[by]);
    });
  }

  test("a creation is due and cuts the back-off short", () => {
    expect(changeEffect(undefined, STORED, "other")).toEqual(cutting("CREATED"));
  });

  test.each(["other", "status-write", "holder"] as const)("a removal by %s removes", (by) => {
    expect(changeEffect(STORED, undefined, by)).toEqual({ type: "remove" });
    expect(changeEffect(undefined, undefined, by)).toEqual(NONE);
  });
});
