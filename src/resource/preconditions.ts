import type { Precondition } from "./command.js";
import { DomainError, type ErrorReason } from "./errors.js";
import { describeKey, type ResourceKey } from "./key.js";
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
