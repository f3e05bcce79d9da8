import type { DeletionPropagation } from "./command.js";
import type { ResourceKey } from "./key.js";
import { type Owner, type OwnerFacts, sameOwner } from "./owner.js";
import { isPending, type Resource } from "./resource.js";
import { FOREGROUND_FINALIZER, propagationOf } from "./server-finalizers.js";
import { PRIORITY, type WorkItem } from "./work.js";
import { enqueue } from "./work-item.js";
import { priorityShiftOf } from "./work-priority.js";

/** What a write of a resource means to those it belongs to, and to those that belong to it. */

/** The owners a write of a child concerns: the one it has, and the one it had. */
export function ownersConcerned(before: Resource | undefined, after: Resource | undefined): readonly Owner[] {
  const [had, has] = [before?.owner ?? null, after?.owner ?? null];
  return (sameOwner(had, has) ? [has] : [had, has]).filter((owner) => owner !== null);
}

/** The owner's work item after a write of `child`. The failures of the owner's own passes stay counted. */
export function childChanged(owner: OwnerFacts, item: WorkItem | undefined, child: ResourceKey, now: Date): WorkItem {
  return enqueue(item, {
    key: owner.key,
    resourceId: owner.id,
    shardId: owner.shardId,
    isPending: isPending(owner),
    reason: "CHILD_CHANGED",
    message: `${child.kind}/${child.name}`,
    priority: PRIORITY.change,
    priorityShift: priorityShiftOf(owner.annotations),
    dueAt: now,
    now,
    cutBackoff: false,
  });
}

/** Whether an owner that waits for its children lost one by a write. */
export function isAwaited(owner: OwnerFacts, after: Resource | undefined): boolean {
  return owner.finalizers.includes(FOREGROUND_FINALIZER) && after?.owner?.uid !== owner.uid;
}

/** How the children of a resource are to be dealt with from this write on; undefined: it takes no part in deciding that. */
export function endOf(before: Resource | undefined, after: Resource | undefined): DeletionPropagation | undefined {
  // From the request on nobody can become a child, so whoever is one then was dealt with when it was made.
  if (before === undefined || before.deletionRequestedAt !== null) return undefined;
  if (after === undefined) return "BACKGROUND";
  return after.deletionRequestedAt === null ? undefined : propagationOf(after.finalizers);
}
