import { sameOwner } from "./owner.js";
import type { Resource } from "./resource.js";
import { sameEntries, sameList } from "./resource.js";
import { sameJson } from "./same-json.js";
import type { WorkReason } from "./work.js";

/** Who changed a resource: the holder of its lease, the server itself, a status write without a lease, or anyone else. */
export type ChangedBy = "holder" | "server" | "status-write" | "other";

/** What a change does to the resource's work item (work-item.ts). */
export type ChangeEffect =
  | { readonly type: "none" | "remove" }
  /** A pass was done without a lease. `unseen`: what it wrote beside the status, which the holder of a lease has not seen. */
  | { readonly type: "settle"; readonly unseen: WorkReason | undefined }
  | { readonly type: "enqueue"; readonly reason: WorkReason; readonly cutBackoff: boolean };

/**
 * The table of ARCHITECTURE 2.8: what one write of a resource means for the queue. Undefined stands for "does not exist".
 *
 * The holder's own write never asks for a pass by itself: its report ends the pass (`finishPass`). What the server notes in
 * a status is nothing to act on.
 */
export function changeEffect(before: Resource | undefined, after: Resource | undefined, by: ChangedBy): ChangeEffect {
  if (after === undefined) return { type: before === undefined ? "none" : "remove" };
  if (by === "holder" || by === "server") return { type: "none" };
  if (before === undefined) return enqueue("CREATED", true);
  if (before.deletionRequestedAt === null && after.deletionRequestedAt !== null) {
    return enqueue("DELETION_REQUESTED", true);
  }
  if (after.generation > before.generation) return enqueue("SPEC_CHANGED", true);
  if (after.observedGeneration < before.observedGeneration) return enqueue("STATUS_CHANGED", true);
  const unseen = sameMetadata(before, after) ? undefined : "METADATA_CHANGED";
  const isCaughtUp = by === "status-write" && catchesUp(before, after);
  // Before the metadata: the writer did the pass over this generation and knows what else it changed in the same write.
  if (isCaughtUp && after.deletionRequestedAt === null) return { type: "settle", unseen };
  if (unseen !== undefined) return enqueue(unseen, false);
  // While a finalizer keeps a resource that is to go, work is left whatever generation a status claims to have observed.
  if (isCaughtUp || !sameJson(before.statusJson, after.statusJson)) return enqueue("STATUS_CHANGED", false);
  return { type: "none" };
}

function enqueue(reason: WorkReason, cutBackoff: boolean): ChangeEffect {
  return { type: "enqueue", reason, cutBackoff };
}

function catchesUp(before: Resource, after: Resource): boolean {
  return after.observedGeneration > before.observedGeneration && after.observedGeneration === after.generation;
}

function sameMetadata(a: Resource, b: Resource): boolean {
  return (
    a.shardId === b.shardId &&
    sameEntries(a.labels, b.labels) &&
    sameEntries(a.annotations, b.annotations) &&
    sameList(a.finalizers, b.finalizers) &&
    sameOwner(a.owner, b.owner)
  );
}
