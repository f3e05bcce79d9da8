import type { Owner } from "./owner.js";
import type { Resource } from "./resource.js";

/** What a stored JSON text says of a resource besides key, payloads and the numbers that order its states. */
export interface ResourceMeta {
  readonly uid: string;
  readonly shard: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly finalizers: readonly string[];
  /** Absent in what a program without owners wrote. */
  readonly owner?: Owner | null;
  /** 64-bit counters are strings: JSON numbers would round. */
  readonly generation: string;
  readonly observed: string;
  /** Times are milliseconds since the epoch. */
  readonly created: number;
  readonly updated: number;
  readonly deletionRequested: number | null;
}

/** The part of a resource that `ResourceMeta` holds. */
type Described = Omit<Resource, "key" | "id" | "specJson" | "statusJson" | "revision" | "writeCount">;

/** For a JSON text. */
export function metaOf(resource: Described): ResourceMeta {
  return {
    uid: resource.uid,
    shard: resource.shardId,
    labels: Object.fromEntries(resource.labels),
    annotations: Object.fromEntries(resource.annotations),
    finalizers: resource.finalizers,
    owner: resource.owner,
    generation: String(resource.generation),
    observed: String(resource.observedGeneration),
    created: resource.createdAt.getTime(),
    updated: resource.updatedAt.getTime(),
    deletionRequested: resource.deletionRequestedAt?.getTime() ?? null,
  };
}

/** What `metaOf` was given. */
export function describedBy(meta: ResourceMeta): Described {
  return {
    uid: meta.uid,
    shardId: meta.shard,
    labels: new Map(Object.entries(meta.labels)),
    annotations: new Map(Object.entries(meta.annotations)),
    finalizers: meta.finalizers,
    owner: meta.owner ?? null,
    generation: BigInt(meta.generation),
    observedGeneration: BigInt(meta.observed),
    createdAt: new Date(meta.created),
    updatedAt: new Date(meta.updated),
    deletionRequestedAt: meta.deletionRequested === null ? null : new Date(meta.deletionRequested),
  };
}
