import { describe, expect, test } from "vitest";
import type { WorkItem } from "../../src/resource/work.js";
import { enqueue } from "../../src/resource/work-item.js";
import { explainFinalizer, type FinalizerOwner, type HeldResource, workState } from "../../src/resource/work-state.js";
import { thingKey } from "../support/things.js";

const NOW = new Date("2026-01-01T00:00:00Z");
const WAITING = enqueue(undefined, {
  key: thingKey("a"),
  resourceId: 1n,
  shardId: "s",
  isPending: true,
  reason: "CREATED",
  message: "",
  priority: 0,
  priorityShift: 0,
  dueAt: NOW,
  now: NOW,
  cutBackoff: true,
});
const lease = { token: "t", sessionId: "s", resourceId: 1n, wanted: 1n, leasedAt: NOW, deadline: NOW };
const LEASED: WorkItem = { ...WAITING, dueAt: null, lease };
const QUARANTINED: WorkItem = { ...WAITING, quarantinedAt: NOW };

describe("workState", () => {
  test.each([
    ["no item", undefined, { isLeaseValid: false, isDue: false }, "SETTLED"],
    ["a due time ahead", WAITING, { isLeaseValid: false, isDue: false }, "WAITING"],
    ["a due time that has come", WAITING, { isLeaseValid: false, isDue: true }, "DUE"],
    ["a lease in force", LEASED, { isLeaseValid: true, isDue: false }, "LEASED"],
    ["a lease that is void", LEASED, { isLeaseValid: false, isDue: false }, "DUE"],
    ["a quarantine", QUARANTINED, { isLeaseValid: false, isDue: false }, "QUARANTINED"],
    ["a quarantine that is tried", { ...QUARANTINED, lease }, { isLeaseValid: true, isDue: false }, "LEASED"],
  ] as const)("%s", (_what, item, clock, state) => expect(workState(item, clock)).toBe(state));
});

describe("explainFinalizer", () => {
  const leaving: HeldResource = {
    isDeletionRequested: true,
    isQuarantined: false,
    ownedResources: 2,
    ownedExample: "file/page",
  };
  const live: FinalizerOwner = { reconciler: "website-example", isLive: true };
  const gone: FinalizerOwner = { reconciler: "website-example", isLive: false };

  test.each([
    [
      "the live owner's",
      "f",
      live,
      leaving,
      "website-example",
      true,
      /^waits for a pass of reconciler website-example/,
    ],
    [
      "before the deletion",
      "f",
      live,
      { ...leaving, isDeletionRequested: false },
      "website-example",
      true,
      /^reconciler/,
    ],
    [
      "in quarantine",
      "f",
      live,
      { ...leaving, isQuarantined: true },
      "website-example",
      true,
      /then ReleaseQuarantine$/,
    ],
    [
      "the absent owner's",
      "f",
      gone,
      leaving,
      "website-example",
      false,
      /^reconciler website-example has no live session: start it, or take the finalizer off with ForceRemoveFinalizer$/,
    ],
    ["nobody's", "f", undefined, leaving, "", false, /^no reconciler registered it: /],
    [
      "foreground",
      "reconcile.dev/foreground",
      undefined,
      leaving,
      "server",
      true,
      /^waits until its owned resources are gone: 2 left, for example file\/page$/,
    ],
    [
      "orphan",
      "reconcile.dev/orphan",
      undefined,
      { ...leaving, ownedResources: 1_000 },
      "server",
      true,
      /have no owner any more: 1000 or more left, for example file\/page$/,
    ],
    [
      "foreground, nothing left",
      "reconcile.dev/foreground",
      undefined,
      { ...leaving, ownedResources: 0, ownedExample: "" },
      "server",
      true,
      /: 0 left$/,
    ],
  ] as const)("%s", (_what, finalizer, owner, resource, name, isOwnerLive, message) => {
    expect(explainFinalizer(finalizer, owner, resource)).toEqual({
      finalizer,
      owner: name,
      isOwnerLive,
      message: expect.stringMatching(message),
    });
  });
});
