import type { Change } from "../../resource/change.js";
import type { ResourceKey } from "../../resource/key.js";

/** One entry in the stream of a shard (`COMPAT_STREAMS`; docs/rest-api.md). */
export interface CompatEntry {
  readonly stream: string;
  readonly key: ResourceKey;
  readonly type: "update" | "delete";
}

const SUFFIX = "_stream";

/** The stream that the operators of a shard read. */
export function compatStream(shardId: string): string {
  return `${shardId}${SUFFIX}`;
}

/** The shard whose operators read `stream`. */
export function shardOfStream(stream: string): string {
  return stream.slice(0, -SUFFIX.length);
}

/** The consumer group that the original's client library makes for itself when it starts, and never again. */
export function groupOfStream(stream: string): string {
  return `${shardOfStream(stream)}_group`;
}

/**
 * The entry for a change: `update` when the desired state was written or the deletion requested, `delete` when the resource
 * left the shard. Undefined for writes of status or metadata alone. Derived from the change alone, so that every replica
 * that writes it, also again, writes the same.
 */
export function compatEntry({ type, resource, previousGeneration }: Change): CompatEntry | undefined {
  const { key, shardId, generation } = resource;
  const stream = compatStream(shardId);
  if (type === "DELETED") return { stream, key, type: "delete" };
  return generation > previousGeneration ? { stream, key, type: "update" } : undefined;
}
