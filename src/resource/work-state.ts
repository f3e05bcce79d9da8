import { FOREGROUND_FINALIZER, ORPHAN_FINALIZER } from "./server-finalizers.js";
import type { WorkItem } from "./work.js";

/** What the queue has for a resource, in one word. */
export type WorkState = "SETTLED" | "WAITING" | "DUE" | "LEASED" | "QUARANTINED";

/** What the database clock says about an item. */
export interface WorkClock {
  /** Whether the lease is in force: its session lives and its deadline is ahead. */
  readonly isLeaseValid: boolean;
  /** Whether the due time has come. */
  readonly isDue: boolean;
}

/** The state of a resource's item. One whose lease is void is as good as due: the next pulse makes it so. */
export function workState(item: WorkItem | undefined, { isLeaseValid, isDue }: WorkClock): WorkState {
  if (item === undefined) return "SETTLED";
  if (isLeaseValid) return "LEASED";
  if (item.quarantinedAt !== null) return "QUARANTINED";
  return isDue || item.lease !== null ? "DUE" : "WAITING";
}

/** A finalizer that keeps a resource, and who is to take it off. */
export interface FinalizerHold {
  readonly finalizer: string;
  /** The reconciler that registered it, `server` for the server's own; empty when nobody of that name is known. */
  readonly owner: string;
  readonly isOwnerLive: boolean;
  /** What it waits for, in words. */
  readonly message: string;
}

/** What is known of the resource that finalizers hold. */
export interface HeldResource {
  readonly isDeletionRequested: boolean;
  readonly isQuarantined: boolean;
  /** Resources that belong to it; counts to 1,000. */
  readonly ownedResources: number;
  /** One of them, `kind/name`; empty for none. */
  readonly ownedExample: string;
}

/** Who registered a finalizer; undefined: nobody did. */
export interface FinalizerOwner {
  readonly reconciler: string;
  readonly isLive: boolean;
}

/** The owner of the server's own finalizers. */
const SERVER = "server";

/** Counting owned resources stops here. */
export const OWNED_COUNT_MAX = 1_000;

/** Says of one finalizer who is to take it off, and what that waits for. */
export function explainFinalizer(
  finalizer: string,
  owner: FinalizerOwner | undefined,
  resource: HeldResource,
): FinalizerHold {
  const own = serverHold(finalizer, resource);
  if (own !== undefined) return { finalizer, owner: SERVER, isOwnerLive: true, message: own };
  if (owner === undefined) {
    const message =
      "no reconciler registered it: whoever put it on takes it off, or ForceRemoveFinalizer does, which leaves a record";
    return { finalizer, owner: "", isOwnerLive: false, message };
  }
  const message = reconcilerHold(owner, resource);
  return { finalizer, owner: owner.reconciler, isOwnerLive: owner.isLive, message };
}

function serverHold(finalizer: string, { ownedResources, ownedExample }: HeldResource): string | undefined {
  const number = ownedResources >= OWNED_COUNT_MAX ? `${OWNED_COUNT_MAX} or more` : String(ownedResources);
  const example = ownedExample === "" ? "" : `, for example ${ownedExample}`;
  switch (finalizer) {
    case FOREGROUND_FINALIZER:
      return `waits until its owned resources are gone: ${number} left${example}`;
    case ORPHAN_FINALIZER:
      return `waits until its owned resources have no owner any more: ${number} left${example}`;
    default:
      return undefined;
  }
}

function reconcilerHold({ reconciler, isLive }: FinalizerOwner, resource: HeldResource): string {
  if (!isLive) {
    return `reconciler ${reconciler} has no live session: start it, or take the finalizer off with ForceRemoveFinalizer`;
  }
  if (!resource.isDeletionRequested) {
    return `reconciler ${reconciler} takes it off when the deletion is requested and a pass over it succeeds`;
  }
  if (resource.isQuarantined) {
    return `waits for reconciler ${reconciler}, whose workers died over the resource: repair it, then ReleaseQuarantine`;
  }
  return `waits for a pass of reconciler ${reconciler} that succeeds`;
}
