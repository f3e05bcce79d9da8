import { describe, expect, it } from "vitest";
import type { Owner } from "../../src/resource/owner.js";
import { childChanged, endOf, isAwaited, ownersConcerned } from "../../src/resource/owner-effect.js";
import { FOREGROUND_FINALIZER, ORPHAN_FINALIZER } from "../../src/resource/server-finalizers.js";
import { PRIORITY } from "../../src/resource/work.js";
import { makeResource } from "../support/changes.js";

const A: Owner = { resourceGroup: "g", kind: "k", name: "a", uid: "uid-a" };
const B: Owner = { ...A, name: "b", uid: "uid-b" };
const now = new Date("2026-01-02T03:04:05.678Z");

describe("a write of a child", () => {
  const free = makeResource();
  const ofA = makeResource({ owner: A });
  const ofB = makeResource({ owner: B });

  it.each([
    ["created", undefined, ofA, [A]],
    ["changed", ofA, ofA, [A]],
    ["removed", ofA, undefined, [A]],
    ["adopted", free, ofA, [A]],
    ["adopted by another", ofA, ofB, [A, B]],
    ["orphaned", ofA, free, [A]],
    ["without an owner", free, free, []],
  ])("%s concerns the owners it has and had", (_, before, after, owners) => {
    expect(ownersConcerned(before, after)).toEqual(owners);
  });

  it("makes the owner due now, names the child, and keeps the owner's failures", () => {
    const owner = makeResource({ observedGeneration: 1n });
    const item = childChanged(owner, undefined, free.key, now);
    expect(item).toMatchObject({ reason: "CHILD_CHANGED", message: "Widget/a", dueAt: now, isPending: false });
    expect(item.priority).toBe(PRIORITY.change);
    const failed = { ...item, failures: 3, lastError: "boom", dueAt: new Date(now.getTime() + 60_000) };
    expect(childChanged(owner, failed, free.key, now)).toMatchObject({ failures: 3, lastError: "boom", dueAt: now });
  });

  it("is awaited by an owner with the foreground hold when the child goes or leaves", () => {
    const waiting = makeResource({ uid: A.uid, finalizers: [FOREGROUND_FINALIZER] });
    expect(isAwaited(waiting, undefined)).toBe(true);
    expect(isAwaited(waiting, ofB)).toBe(true);
    expect(isAwaited(waiting, ofA)).toBe(false);
    expect(isAwaited({ ...waiting, finalizers: [] }, undefined)).toBe(false);
  });
});

describe("the children of a resource", () => {
  const alive = makeResource();
  const marked = (...finalizers: string[]) => makeResource({ finalizers, deletionRequestedAt: now });

  it.each([
    ["removed at once", alive, undefined, "BACKGROUND"],
    ["with a requested deletion", alive, marked("f"), "BACKGROUND"],
    ["requested in the foreground", alive, marked("f", FOREGROUND_FINALIZER), "FOREGROUND"],
    ["requested with orphans", alive, marked(ORPHAN_FINALIZER), "ORPHAN"],
    ["requested before", marked("f"), marked("f"), undefined],
    ["removed after its request", marked("f"), undefined, undefined],
    ["that lives on", alive, alive, undefined],
    ["that is new", undefined, alive, undefined],
  ])("%s are dealt with once, as its first request says", (_, before, after, propagation) => {
    expect(endOf(before, after)).toBe(propagation);
  });
});
