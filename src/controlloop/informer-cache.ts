import type { ClientResource } from "../client/client-resource.js";
import type { ClientWatchEvent } from "../client/resource-watch.js";
import { keyId, type ResourceKey } from "../resource/key.js";
import type { InformerChange } from "./informer.js";

type IndexFunction<Spec, Status> = (resource: ClientResource<Spec, Status>) => readonly string[];

/** Resources that are gone, kept to know a late event about them; the oldest is forgotten first. */
const MAX_GONE = 1_000;

/**
 * What an informer knows: resources by uid, with an index by key and those of its user.
 *
 * Of two states of one uid the one with the higher `writeCount` counts, whatever order they came in: a store with several logs
 * orders each of them alone.
 */
export class InformerCache<Spec, Status> {
  readonly #byUid = new Map<string, ClientResource<Spec, Status>>();
  readonly #uidByKey = new Map<string, string>();
  readonly #indexes: ReadonlyMap<string, Index<Spec, Status>>;
  readonly #gone = new Map<string, bigint>();
  readonly #maxResources: number;
  /** While an initial state comes in again: what it has named so far. The rest went while nobody looked. */
  #named: Set<string> | undefined;

  constructor(indexes: Readonly<Record<string, IndexFunction<Spec, Status>>>, maxResources: number) {
    this.#indexes = new Map(Object.entries(indexes).map(([name, valuesOf]) => [name, new Index(valuesOf)]));
    this.#maxResources = maxResources;
  }

  get(key: ResourceKey): ClientResource<Spec, Status> | undefined {
    return this.#byUid.get(this.#uidByKey.get(keyId(key)) ?? "");
  }

  list(): readonly ClientResource<Spec, Status>[] {
    return [...this.#byUid.values()];
  }

  byIndex(name: string, value: string): readonly ClientResource<Spec, Status>[] {
    const index = this.#indexes.get(name);
    if (index === undefined) {
      throw new Error(`there is no index ${name}; use one of ${[...this.#indexes.keys()].join(", ")}`);
    }
    return index.find(value);
  }

  /** Takes an event in and returns what it changed. Throws when there is no room for a resource. */
  take(event: ClientWatchEvent<Spec, Status>): readonly InformerChange<Spec, Status>[] {
    switch (event.type) {
      case "RESYNC":
        this.#named = new Set();
        return [];
      case "SYNCED":
        return this.#removeUnnamed();
      case "ADDED":
      case "MODIFIED":
        return this.#put(event.resource);
      case "DELETED":
        return this.#remove(event.resource);
    }
  }

  #put(resource: ClientResource<Spec, Status>): readonly InformerChange<Spec, Status>[] {
    const { uid, writeCount } = resource;
    this.#named?.add(uid);
    const previous = this.#byUid.get(uid);
    if (previous !== undefined && previous.writeCount >= writeCount) return [];
    const goneAt = this.#gone.get(uid);
    if (goneAt !== undefined && goneAt >= writeCount) return [];
    if (previous === undefined && this.#byUid.size >= this.#maxResources) {
      throw new Error(
        `the informer holds ${this.#maxResources} resources, the most it may; select fewer, or allow more`,
      );
    }
    this.#store(resource, previous);
    return [{ type: previous === undefined ? "ADDED" : "MODIFIED", resource, previous }];
  }

  #remove(last: ClientResource<Spec, Status>): readonly InformerChange<Spec, Status>[] {
    const previous = this.#byUid.get(last.uid);
    if (previous !== undefined && previous.writeCount > last.writeCount) return [];
    this.#gone.set(last.uid, last.writeCount);
    for (const oldest of this.#gone.keys()) {
      if (this.#gone.size <= MAX_GONE) break;
      this.#gone.delete(oldest);
    }
    if (previous === undefined) return [];
    this.#forget(previous);
    return [{ type: "DELETED", resource: last, previous }];
  }

  #removeUnnamed(): readonly InformerChange<Spec, Status>[] {
    const named = this.#named;
    this.#named = undefined;
    if (named === undefined) return [];
    const unnamed = this.list().filter(({ uid }) => !named.has(uid));
    for (const resource of unnamed) this.#forget(resource);
    return unnamed.map((resource) => ({ type: "DELETED", resource, previous: resource }));
  }

  #store(resource: ClientResource<Spec, Status>, previous: ClientResource<Spec, Status> | undefined): void {
    // All values first: what an index function throws must not leave half of a change behind.
    const entries = [...this.#indexes.values()].map((index) => ({ index, values: index.valuesOf(resource) }));
    if (previous !== undefined) for (const index of this.#indexes.values()) index.remove(previous.uid);
    this.#byUid.set(resource.uid, resource);
    this.#uidByKey.set(keyId(resource.key), resource.uid);
    for (const { index, values } of entries) index.add(resource, values);
  }

  #forget({ uid, key }: ClientResource<Spec, Status>): void {
    this.#byUid.delete(uid);
    // A successor may have the key already.
    if (this.#uidByKey.get(keyId(key)) === uid) this.#uidByKey.delete(keyId(key));
    for (const index of this.#indexes.values()) index.remove(uid);
  }
}

/** Finds resources by the values that a function has for them. */
class Index<Spec, Status> {
  readonly valuesOf: IndexFunction<Spec, Status>;
  readonly #byValue = new Map<string, Map<string, ClientResource<Spec, Status>>>();
  readonly #values = new Map<string, readonly string[]>();

  constructor(valuesOf: IndexFunction<Spec, Status>) {
    this.valuesOf = valuesOf;
  }

  find(value: string): readonly ClientResource<Spec, Status>[] {
    return [...(this.#byValue.get(value)?.values() ?? [])];
  }

  add(resource: ClientResource<Spec, Status>, values: readonly string[]): void {
    this.#values.set(resource.uid, values);
    for (const value of values) {
      const found = this.#byValue.get(value) ?? new Map();
      this.#byValue.set(value, found.set(resource.uid, resource));
    }
  }

  remove(uid: string): void {
    for (const value of this.#values.get(uid) ?? []) {
      const found = this.#byValue.get(value);
      found?.delete(uid);
      if (found?.size === 0) this.#byValue.delete(value);
    }
    this.#values.delete(uid);
  }
}
