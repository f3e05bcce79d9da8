import type { ResourceKey } from "./key.js";
import type { Owner } from "./owner.js";

/** Labels and annotations. A Map, so that a key such as `__proto__` is a key like any other. */
export type StringMap = ReadonlyMap<string, string>;

/** A stored resource. spec and status stay the JSON text that was written: parsing would round numbers (2.10). */
export interface Resource {
  readonly key: ResourceKey;
  /** Creation order inside the store; orders lists, never leaves the server. */
  readonly id: bigint;
  readonly uid: string;
  readonly shardId: string;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly finalizers: readonly string[];
  /** The resource this one belongs to; its uid is never empty here. It may be gone. */
  readonly owner: Owner | null;
  /** JSON text; null when nothing was declared. */
  readonly specJson: string | null;
  /** JSON text; null when nothing was reported. */
  readonly statusJson: string | null;
  /** Writes of the desired state and the deletion mark; starts at 1. */
  readonly generation: bigint;
  /** Last generation a reconciler finished; starts at 0 and never exceeds `generation` (I6). */
  readonly observedGeneration: bigint;
  /** Position of the last write in the log of `shardId`. */
  readonly revision: bigint;
  /** Writes of this resource since its creation, starting at 1. (`id`, `writeCount`) orders the states of a key for ever. */
  readonly writeCount: bigint;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly deletionRequestedAt: Date | null;
}

/** Whether a reconciler still has to act on the desired state. */
export function isPending(resource: Pick<Resource, "generation" | "observedGeneration">): boolean {
  return resource.generation > resource.observedGeneration;
}

/** Whether two label or annotation maps hold the same entries, in any order. */
export function sameEntries(a: StringMap, b: StringMap): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}

/** Whether two finalizer lists are equal, order included. */
export function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
