import type { Precondition } from "./command.js";
import { DomainError, type ErrorReason } from "./errors.js";
import { describeKey, type ResourceKey } from "./key.js";
import { quote } from "./quote.js";
import type { Resource } from "./resource.js";

/** The resource, or what was read of it, or NOT_FOUND. */
export function requireExisting<Found>(resource: Found | undefined, key: ResourceKey): Found {
  if (resource !== undefined) return resource;
  throw new DomainError("NOT_FOUND", "NOT_FOUND", `${describeKey(key)} does not exist; create it first`);
}

/** `shardId`: where the writer believes the resource to be, when it says so; a revision counts in its shard's log only. */
export function checkPrecondition(current: Resource, expected: Precondition, shardId: string | undefined): void {
  if (expected.uid !== undefined && expected.uid !== current.uid) {
    throw conflict("UID_CONFLICT", "uid", current.key, expected.uid, current.uid);
  }
  if (expected.revision !== undefined) {
    if (shardId !== undefined && shardId !== current.shardId) {
      throw conflict("SHARD_CONFLICT", "shard_id", current.key, shardId, current.shardId);
    }
    if (expected.revision !== current.revision) {
      throw conflict("REVISION_CONFLICT", "revision", current.key, expected.revision, current.revision);
    }
  }
  if (expected.generation !== undefined && expected.generation !== current.generation) {
    throw conflict("GENERATION_CONFLICT", "version", current.key, expected.generation, current.generation);
  }
}

/** A reconciler cannot have finished a generation that does not exist yet (I6). */
export function checkObservedGeneration(current: Resource, observed: bigint): void {
  if (observed <= current.generation) return;
  throw new DomainError(
    "INVALID_ARGUMENT",
    "OBSERVED_GENERATION_AHEAD",
    `observed generation ${observed} must not be above the stored generation ${current.generation} of ${describeKey(current.key)}; read it again`,
    { field: "observed_generation" },
  );
}

/**
 * What is being deleted takes no further finalizer: who finished the cleanup has gone by then, and nobody could say when it ends.
 * Removing, reordering and repeating those that are stored is allowed. `field`: where the finalizers were sent.
 */
export function checkNoFinalizerAdded(
  before: Pick<Resource, "key" | "finalizers" | "deletionRequestedAt">,
  finalizers: readonly string[],
  field: string,
): void {
  if (before.deletionRequestedAt === null) return;
  const added = finalizers.find((name) => !before.finalizers.includes(name));
  if (added === undefined) return;
  throw new DomainError(
    "FAILED_PRECONDITION",
    "FINALIZER_ADDED_WHILE_DELETING",
    `${field} must not add ${quote(added)} while ${describeKey(before.key)} is being deleted: finalizers can only be removed then; leave it out, or create the resource again once it is gone`,
    { field },
  );
}

function conflict(
  reason: ErrorReason,
  field: string,
  key: ResourceKey,
  sent: bigint | string,
  stored: bigint | string,
): DomainError {
  const text = `${field} conflict on ${describeKey(key)}: you sent ${sent}, stored is ${stored}; read it again, reapply the change and retry`;
  return new DomainError("ABORTED", reason, text, { field });
}
