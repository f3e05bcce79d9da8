import { describe, expect, it } from "vitest";
import { DomainError } from "../../src/resource/errors.js";
import { keyId } from "../../src/resource/key.js";
import { OWNER_LEVELS_MAX, type Owner, ownerAfter, ownerKey, ownerOfNew, sameOwner } from "../../src/resource/owner.js";
import type { Resource } from "../../src/resource/resource.js";
import { makeResource } from "../support/changes.js";

/** Stored resources by name; `uid` is the name unless said otherwise. */
function world(...resources: readonly Resource[]) {
  const byKey = new Map(resources.map((resource) => [keyId(resource.key), resource]));
  return (key: Resource["key"]) => byKey.get(keyId(key));
}

function named(name: string, changes: Partial<Resource> = {}): Resource {
  const { key } = makeResource();
  return makeResource({ uid: name, ...changes, key: { ...key, name } });
}

function owner(name: string, uid = name): Owner {
  return { resourceGroup: "apps", kind: "Widget", name, uid };
}

function reasonOf(work: () => unknown): string {
  try {
    work();
    return "accepted";
  } catch (error) {
    return error instanceof DomainError ? `${error.code} ${error.reason} ${error.field}` : String(error);
  }
}

describe("the owner of a new resource", () => {
  const find = world(named("parent"), named("going", { deletionRequestedAt: new Date(0) }));
  const { key } = named("child");

  it("is the one wished for, with the uid of whoever has the name", () => {
    expect(ownerOfNew(key, owner("parent", ""), find)).toEqual(owner("parent"));
    expect(ownerOfNew(key, owner("parent"), find)).toEqual(owner("parent"));
  });

  it("is none when none is wished for", () => {
    expect(ownerOfNew(key, undefined, find)).toBeNull();
    expect(ownerOfNew(key, null, find)).toBeNull();
  });

  it("must exist, be that life of its key, and not be on its way out", () => {
    expect(reasonOf(() => ownerOfNew(key, owner("nobody", ""), find))).toBe(
      "FAILED_PRECONDITION OWNER_NOT_FOUND owner",
    );
    expect(reasonOf(() => ownerOfNew(key, owner("parent", "other"), find))).toBe(
      "FAILED_PRECONDITION OWNER_NOT_FOUND owner",
    );
    expect(reasonOf(() => ownerOfNew(key, owner("going"), find))).toBe("FAILED_PRECONDITION OWNER_DELETING owner");
  });

  it("is looked for in its own namespace, whatever else there is", () => {
    const elsewhere = makeResource({ key: { ...named("far").key, namespace: "other" }, uid: "far" });
    expect(reasonOf(() => ownerOfNew(key, owner("far"), world(elsewhere)))).toContain("OWNER_NOT_FOUND");
  });
});

describe("the owner after a write", () => {
  const parent = named("parent");
  const child = named("child", { owner: owner("parent") });

  it("is the stored one unless the write says otherwise", () => {
    expect(ownerAfter(child, undefined, world())).toBe(child.owner);
    expect(ownerAfter(child, null, world(parent))).toBeNull();
    expect(ownerAfter(child, owner("next", ""), world(parent, named("next")))).toEqual(owner("next"));
  });

  it("is kept when it is sent back, though it is going or gone", () => {
    const going = named("parent", { deletionRequestedAt: new Date(0) });
    for (const find of [world(going), world()]) {
      expect(ownerAfter(child, owner("parent"), find)).toBe(child.owner);
      expect(ownerAfter(child, owner("parent", ""), find)).toBe(child.owner);
    }
  });

  it("is the new life of a name that is wished for without a uid", () => {
    const next = named("parent", { uid: "parent-2" });
    expect(ownerAfter(child, owner("parent", ""), world(next))).toEqual(owner("parent", "parent-2"));
    expect(ownerAfter(child, owner("parent"), world(next))).toBe(child.owner);
  });

  it("must not be the resource itself, or belong to it at any distance", () => {
    const below = named("below", { owner: owner("child") });
    const lower = named("lower", { owner: owner("below") });
    const find = world(parent, child, below, lower);
    for (const name of ["child", "below", "lower"]) {
      expect(reasonOf(() => ownerAfter(child, owner(name), find))).toBe("FAILED_PRECONDITION OWNER_CYCLE owner");
    }
  });

  it("may stand below an earlier life of the resource: that is somebody else", () => {
    const below = named("below", { owner: owner("child", "child-of-old") });
    expect(ownerAfter(child, owner("below"), world(parent, child, below))).toEqual(owner("below"));
  });

  it("may have as many owners above it as an adoption walks, and no more", () => {
    const chain = (length: number) =>
      Array.from({ length }, (_, i) => named(`c${i}`, i === 0 ? {} : { owner: owner(`c${i - 1}`) }));
    const top = (length: number) => owner(`c${length - 1}`);
    const adopt = (length: number) => () => ownerAfter(child, top(length), world(...chain(length)));
    expect(reasonOf(adopt(OWNER_LEVELS_MAX))).toBe("accepted");
    expect(reasonOf(adopt(OWNER_LEVELS_MAX + 1))).toBe("FAILED_PRECONDITION OWNER_TOO_DEEP owner");
  });
});

it("two owners are the same when key and uid are", () => {
  expect(sameOwner(null, null)).toBe(true);
  expect(sameOwner(owner("a"), null)).toBe(false);
  expect(sameOwner(owner("a"), owner("a"))).toBe(true);
  expect(sameOwner(owner("a"), owner("a", "b"))).toBe(false);
  expect(sameOwner(owner("a"), { ...owner("a"), kind: "Other" })).toBe(false);
});

it("an owner's key takes its namespace from the child", () => {
  expect(ownerKey(owner("a"), { ...named("b").key, namespace: "n" })).toEqual({ ...named("a").key, namespace: "n" });
});
