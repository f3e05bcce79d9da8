import type { WorkItem } from "../../resource/work.js";
import type { Session, WorkDetails } from "../work/work-service.js";

/** The `/api/v1` JSON of what the queue has for a resource. What is not there is null, so that every field is always there. */
export function workJson(details: WorkDetails): string {
  const { state, item, holder, reconciler, deletionRequestedAt, finalizers, ownedResources } = details;
  return JSON.stringify({
    state,
    item: item === undefined ? null : itemFields(item),
    holder: holder === undefined ? null : holderFields(holder),
    reconciler: reconciler === "" ? null : reconciler,
    deletion_timestamp: deletionRequestedAt,
    finalizers: finalizers.map(({ finalizer, owner, isOwnerLive, message }) => ({
      finalizer,
      owner: owner === "" ? null : owner,
      is_owner_live: isOwnerLive,
      message,
    })),
    owned_resources: ownedResources,
  });
}

function itemFields(item: WorkItem) {
  return {
    due_at: item.dueAt,
    reason: item.reason,
    message: item.message,
    failures: item.failures,
    last_error: item.lastError,
    leased_at: item.lease?.leasedAt ?? null,
    deadline: item.lease?.deadline ?? null,
    pending_since: item.pendingSince,
    strikes: item.strikes,
    quarantined_at: item.quarantinedAt,
    progress: item.progress,
  };
}

function holderFields({ name, instanceId, language, epoch, registeredAt, expiresAt }: Session) {
  return {
    name,
    instance_id: instanceId,
    language,
    epoch: Number(epoch),
    registered_at: registeredAt,
    expires_at: expiresAt,
  };
}
