import type { ClientWorkItem } from "../../../src/client/client-work.js";

/** Why a pass is due, as one would say it. */
export function sayReason(reason: ClientWorkItem["reason"]): string {
  return REASONS[reason];
}

const REASONS: Readonly<Record<ClientWorkItem["reason"], string>> = {
  UNSPECIFIED: "not known to this page",
  CREATED: "it was created",
  SPEC_CHANGED: "its desired state changed",
  DELETION_REQUESTED: "its deletion was requested",
  METADATA_CHANGED: "its labels, annotations or finalizers changed",
  STATUS_CHANGED: "somebody else changed its status",
  ENQUEUED: "somebody asked for a pass",
  RETRY: "the pass before failed",
  REQUEUE_AFTER: "the pass before asked to come back",
  RESYNC: "the regular look at everything",
  LEASE_RETURNED: "its worker gave it back",
  DEADLINE_EXCEEDED: "the pass before took too long",
  CHILD_CHANGED: "a resource that belongs to it changed",
  WORKER_DIED: "its worker died",
  RELEASED: "it was released from quarantine",
};
