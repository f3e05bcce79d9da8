import type { Owner } from "./owner.js";
import type { Resource, StringMap } from "./resource.js";

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

/**
 * The members of a `ResourceMeta` as JSON text, without the braces around them. Put together by hand: every write needs it three
 * times, and an object for JSON.stringify costs five times as much.
 */
export function metaMembers(resource: Described): string {
  const { uid, shardId, labels, annotations, finalizers, owner, generation, observedGeneration } = resource;
  return (
    `"uid":${JSON.stringify(uid)},"shard":${JSON.stringify(shardId)},"labels":${entriesText(labels)},` +
    `"annotations":${entriesText(annotations)},"finalizers":${finalizers.length === 0 ? "[]" : JSON.stringify(finalizers)},` +
    `"owner":${owner === null ? "null" : JSON.stringify(owner)},"generation":"${generation}","observed":"${observedGeneration}",` +
    `"created":${resource.createdAt.getTime()},"updated":${resource.updatedAt.getTime()},` +
    `"deletionRequested":${resource.deletionRequestedAt?.getTime() ?? null}`
  );
}

/** Labels or annotations as the text of a JSON object. */
export function entriesText(entries: StringMap): string {
  let text = "";
  for (const [key, value] of entries) {
    text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${JSON.stringify(value)}`;
  }
  return `{${text}}`;
}

/** What `metaMembers` was given. */
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
