import type { Logger } from "pino";
import { type LeasedItem, WorkReason } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import type { ClientResource } from "../client/client-resource.js";
import { nameIn } from "../client/client-work.js";
import type { ResourceClient } from "../client/resource-client.js";
import { Children } from "./children.js";
import type { HeldLease } from "./held-lease.js";
import type { PassDraft } from "./pass-draft.js";
import { checkProgress } from "./progress-outbox.js";
import type { ReconcileContext } from "./reconciler.js";

/** What a pass over one leased resource gets besides the resource. */
export function passContext(pass: {
  readonly item: LeasedItem;
  readonly resource: ClientResource;
  readonly lease: HeldLease;
  readonly draft: PassDraft;
  readonly client: ResourceClient;
  readonly logger: Logger;
}): ReconcileContext {
  const { item, resource, lease, draft, client, logger } = pass;
  return {
    signal: lease.signal,
    client,
    logger,
    attempt: item.attempt,
    reason: nameIn(WorkReason, item.reason),
    message: item.message,
    isDeleting: resource.deletionRequestedAt !== undefined,
    isSolo: item.isSolo,
    checkpoint: item.checkpoint.byteLength === 0 ? undefined : item.checkpoint,
    progress: item.progress,
    children: new Children(client, resource, lease.signal),
    saveProgress: (progress) => {
      checkProgress(progress);
      return lease.saveProgress({ ...progress });
    },
    setCondition: (...condition) => draft.setCondition(...condition),
    addFinalizer: (name) => draft.addFinalizer(name),
    removeFinalizer: (name) => draft.removeFinalizer(name),
    setLabel: (key, value) => draft.setLabel(key, value),
    setAnnotation: (key, value) => draft.setAnnotation(key, value),
  };
}
