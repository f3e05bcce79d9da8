import { EventType, type HistoryEntry } from "../../gen/reconcile/v1/resource_service_pb.js";
import { type ClientResource, readResource, readTime } from "./client-resource.js";
import { nameIn } from "./client-work.js";

/** One change that the log has kept. */
export interface ClientHistoryEntry<Spec = unknown, Status = unknown> {
  /** ADDED, MODIFIED or DELETED; a move between shards is DELETED and ADDED. */
  readonly type: keyof typeof EventType;
  readonly revision: bigint;
  readonly committedAt: Date;
  /** After the change; for DELETED the last one. */
  readonly resource: ClientResource<Spec, Status>;
}

/** Reads an entry of GetHistory's answer. */
export function readHistoryEntry<Spec, Status>(wire: HistoryEntry): ClientHistoryEntry<Spec, Status> {
  return {
    type: nameIn(EventType, wire.type),
    revision: wire.revision,
    committedAt: readTime(wire.committedAt),
    resource: readResource(wire.resource),
  };
}
