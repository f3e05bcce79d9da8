import type { Change } from "../../resource/change.js";

/** What the operators of existing installations are told of a change (`COMPAT_STREAMS`; docs/rest-api.md). */
export interface CompatEntry {
  /** The stream of the shard. */
  readonly stream: string;
  readonly type: "update" | "delete";
}

/**
 * The entry for a change: `update` when the desired state was written or the deletion requested, `delete` when the resource
 * left the shard. Undefined for writes of status or metadata alone. Derived from the change, so that whoever publishes it
 * (also a replica that fills a gap, or a retry) writes the same.
 */
export function compatEntry({ type, resource, previousGeneration }: Change): CompatEntry | undefined {
  const stream = `${resource.shardId}_stream`;
  if (type === "DELETED") return { stream, type: "delete" };
  return resource.generation > previousGeneration ? { stream, type: "update" } : undefined;
}
