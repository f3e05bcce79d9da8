import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ResourceSchema } from "../../gen/reconcile/v1/resource_pb.js";
import { type ClientResource, readResource } from "../../src/client/client-resource.js";
import type { ClientWatchEvent } from "../../src/client/index.js";
import { InformerCache } from "../../src/controlloop/informer-cache.js";

interface Spec {
  readonly node: string;
}

const key = (name: string) => ({ resourceGroup: "g", kind: "k", namespace: "default", name });

function state(name: string, writeCount: number, node = "a", uid = `uid-${name}`): ClientResource<Spec> {
  const wire = { key: key(name), uid, writeCount: BigInt(writeCount), specJson: JSON.stringify({ node }) };
  return readResource<Spec, unknown>(create(ResourceSchema, wire));
}

function event(type: "ADDED" | "MODIFIED" | "DELETED", resource: ClientResource<Spec>): ClientWatchEvent<Spec> {
  return { type, resource, revision: 1n, movedTo: undefined };
}

function open(maxResources = 10) {
  const cache = new InformerCache<Spec, unknown>({ byNode: ({ spec }) => [spec.node] }, maxResources);
  const take = (...events: ClientWatchEvent<Spec>[]) =>
    events.flatMap((event) => cache.take(event)).map(({ type, resource }) => `${type} ${resource.key.name}`);
  const names = (resources: readonly ClientResource<Spec>[]) => resources.map(({ key }) => key.name);
  return { cache, take, names, on: (node: string) => names(cache.byIndex("byNode", node)) };
}

describe("the cache of an informer", () => {
  it("follows changes, by key and by index", () => {
    const { cache, take, on } = open();
    expect(take(event("ADDED", state("x", 1)), event("ADDED", state("y", 1)), { type: "SYNCED" })).toHaveLength(2);
    expect(take(event("MODIFIED", state("x", 2, "b")))).toEqual(["MODIFIED x"]);
    expect([on("a"), on("b"), on("c")]).toEqual([["y"], ["x"], []]);
    expect(cache.get(key("x"))?.writeCount).toBe(2n);
    expect(take(event("DELETED", state("x", 2, "b")))).toEqual(["DELETED x"]);
    expect([cache.get(key("x")), on("b")]).toEqual([undefined, []]);
  });

  it("ignores what is older than what it holds: several logs may swap the halves of a move", () => {
    const { cache, take } = open();
    take(event("ADDED", state("x", 3)));
    expect(take(event("ADDED", state("x", 5)))).toEqual(["MODIFIED x"]);
    expect(take(event("DELETED", state("x", 4)), event("MODIFIED", state("x", 4)))).toEqual([]);
    expect(cache.get(key("x"))?.writeCount).toBe(5n);
  });

  it("does not bring back what is gone for a late event of another log", () => {
    const { cache, take } = open();
    take(event("ADDED", state("x", 6)), event("DELETED", state("x", 7)));
    expect(take(event("MODIFIED", state("x", 5)))).toEqual([]);
    expect(cache.list()).toEqual([]);
  });

  it("keeps a re-created key, also when the end of the one before it comes late", () => {
    const { cache, take } = open();
    take(event("ADDED", state("x", 1)), event("ADDED", state("x", 1, "b", "uid-2")), event("DELETED", state("x", 1)));
    expect(cache.get(key("x"))?.uid).toBe("uid-2");
  });

  it("lists again after a gap: what went meanwhile is told, what stayed is not", () => {
    const { take, names, cache } = open();
    take(event("ADDED", state("x", 1)), event("ADDED", state("y", 1)), event("ADDED", state("z", 1)), {
      type: "SYNCED",
    });
    take({ type: "RESYNC" });
    expect(names(cache.list())).toEqual(["x", "y", "z"]);
    expect(take(event("ADDED", state("x", 1)), event("ADDED", state("y", 2)))).toEqual(["MODIFIED y"]);
    expect(take({ type: "SYNCED" })).toEqual(["DELETED z"]);
  });

  it("is bounded, and refuses an index that is not there", () => {
    const { cache, take } = open(1);
    take(event("ADDED", state("x", 1)));
    expect(() => take(event("ADDED", state("y", 1)))).toThrow("holds 1 resources, the most it may");
    expect(() => cache.byIndex("byName", "x")).toThrow("no index byName; use one of byNode");
  });
});
