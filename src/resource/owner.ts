import { DomainError } from "./errors.js";
import { describeKey, type ResourceKey } from "./key.js";
import type { Resource } from "./resource.js";

/** The resource that another one belongs to. It stands in the same namespace, so its key takes that from the owned one. */
export interface Owner {
  readonly resourceGroup: string;
  readonly kind: string;
  readonly name: string;
  /** A re-created owner is another one. Empty in a write: whoever has the name now is meant. */
  readonly uid: string;
}

/** What decisions about ownership need to know of a resource; of its annotations only that of the priority may be there. */
export type OwnerFacts = Pick<
  Resource,
  | "key"
  | "id"
  | "uid"
  | "shardId"
  | "owner"
  | "finalizers"
  | "annotations"
  | "generation"
  | "observedGeneration"
  | "deletionRequestedAt"
>;

/** Finds the resource that has a key now; undefined: there is none. */
export type FindOwner = (key: ResourceKey) => OwnerFacts | undefined;

/**
 * Owners above one another that an adoption walks (I9): each is a row to read under the lock. Creation cannot close a cycle and
 * is not limited.
 */
export const OWNER_LEVELS_MAX = 32;

/** The key of the owner of a resource with `child` as its key. */
export function ownerKey(owner: Omit<Owner, "uid">, child: ResourceKey): ResourceKey {
  const { resourceGroup, kind, name } = owner;
  return { resourceGroup, kind, namespace: child.namespace, name };
}

/** Whether two owners are the same life of the same key. */
export function sameOwner(a: Owner | null, b: Owner | null): boolean {
  return a === b || (a !== null && b !== null && a.uid === b.uid && isSameName(a, b));
}

/** The owner of a resource that is created. Throws FAILED_PRECONDITION when the wished one cannot take it. */
export function ownerOfNew(child: ResourceKey, wish: Owner | null | undefined, find: FindOwner): Owner | null {
  return wish ? accepted(child, wish, find).owner : null;
}

/**
 * The owner after a write that wishes for one; undefined: the stored one stays, null: none. What is stored already is not
 * checked again, so that an object can be sent back as it was read while its owner goes. Throws FAILED_PRECONDITION when
 * the wished one cannot take the resource, or belongs to it.
 */
export function ownerAfter(
  current: Pick<Resource, "key" | "uid" | "owner">,
  wish: Owner | null | undefined,
  find: FindOwner,
): Owner | null {
  if (wish === undefined) return current.owner;
  if (wish === null) return null;
  if (isStored(current, wish, find)) return current.owner;
  const { holder, owner } = accepted(current.key, wish, find);
  checkNoCycle(current, holder, find);
  return owner;
}

function isStored({ key, owner }: Pick<Resource, "key" | "owner">, wish: Owner, find: FindOwner): boolean {
  if (owner === null || !isSameName(owner, wish)) return false;
  if (wish.uid !== "") return wish.uid === owner.uid;
  const holder = find(ownerKey(wish, key));
  return holder === undefined || holder.uid === owner.uid;
}

function accepted(child: ResourceKey, wish: Owner, find: FindOwner): { holder: OwnerFacts; owner: Owner } {
  const key = ownerKey(wish, child);
  const holder = find(key);
  if (holder === undefined) {
    throw refused("OWNER_NOT_FOUND", `${describeKey(key)} does not exist; create it first, in the same namespace`);
  }
  if (wish.uid !== "" && wish.uid !== holder.uid) {
    throw refused(
      "OWNER_NOT_FOUND",
      `${describeKey(key)} with uid ${wish.uid} does not exist: the name belongs to ${holder.uid}; read it again`,
    );
  }
  if (holder.deletionRequestedAt !== null) {
    throw refused("OWNER_DELETING", `${describeKey(key)} is being deleted; choose another owner, or none`);
  }
  return { holder, owner: { ...wish, uid: holder.uid } };
}

/** Only an adoption can make a cycle: what is created has no children yet. */
function checkNoCycle(child: Pick<Resource, "key" | "uid">, holder: OwnerFacts, find: FindOwner): void {
  let ancestor: OwnerFacts | undefined = holder;
  for (let level = 1; level <= OWNER_LEVELS_MAX; level++) {
    if (ancestor.uid === child.uid) {
      throw refused(
        "OWNER_CYCLE",
        `${describeKey(holder.key)} belongs to ${describeKey(child.key)} itself; choose an owner outside of it`,
      );
    }
    const { owner }: OwnerFacts = ancestor;
    if (owner === null) return;
    const next = find(ownerKey(owner, child.key));
    // The chain ends at an owner that is gone; whoever has its name now is somebody else.
    if (next === undefined || next.uid !== owner.uid) return;
    ancestor = next;
  }
  throw refused(
    "OWNER_TOO_DEEP",
    `${describeKey(holder.key)} must have at most ${OWNER_LEVELS_MAX - 1} owners above one another to take over a resource; choose one nearer to the top`,
  );
}

function isSameName(a: Owner, b: Owner): boolean {
  return a.resourceGroup === b.resourceGroup && a.kind === b.kind && a.name === b.name;
}

function refused(
  reason: "OWNER_NOT_FOUND" | "OWNER_DELETING" | "OWNER_CYCLE" | "OWNER_TOO_DEEP",
  text: string,
): DomainError {
  return new DomainError("FAILED_PRECONDITION", reason, `owner ${text}`, { field: "owner" });
}
