import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type GetWorkResponse,
  type WorkItem as WireItem,
  type ReconcilerSession as WireSession,
  WorkReason,
  WorkState,
} from "../../gen/reconcile/v1/reconciler_service_pb.js";
import type { KindRef, ResourceKey } from "../resource/key.js";

/** What the queue has for one resource; what a newer server says and this version does not know is `UNSPECIFIED`. */
export interface ClientWork {
  readonly state: keyof typeof WorkState;
  /** Undefined when it is settled. */
  readonly item: ClientWorkItem | undefined;
  /** The worker that holds it; undefined when nobody does. */
  readonly holder: ClientSession | undefined;
  /** The reconciler of the kind with live sessions; empty: there is none, and nothing will happen. */
  readonly reconciler: string;
  /** Undefined while nobody asked for its deletion. */
  readonly deletionRequestedAt: Date | undefined;
  /** What keeps it from going. */
  readonly finalizers: readonly ClientFinalizerHold[];
  /** How many resources belong to it; counts to 1,000. */
  readonly ownedResources: number;
}

/** One entry of the queue. */
export interface ClientWorkItem {
  readonly reason: keyof typeof WorkReason;
  /** Words given with Enqueue, or the last error. */
  readonly message: string;
  /** Undefined when it is leased and nothing more is wanted. */
  readonly dueAt: Date | undefined;
  /** Since when its generation is above its observed generation. */
  readonly pendingSince: Date | undefined;
  /** Failed passes since the last success. */
  readonly failures: number;
  readonly lastError: string;
  /** Since when it is held. */
  readonly leasedAt: Date | undefined;
  /** When that lease becomes void. */
  readonly deadline: Date | undefined;
  /** Workers in a row that died while this was all they held. */
  readonly strikes: number;
  readonly quarantinedAt: Date | undefined;
  /** What the holder said last of its progress. */
  readonly progress: string;
}

/** An entry of the queue, with the resource it is about. */
export interface ClientListedWork extends ClientWorkItem {
  readonly key: ResourceKey;
  readonly state: ClientWork["state"];
  /** The session that holds it; empty when nobody does. */
  readonly holderSessionId: string;
}

/** A live session of a worker. */
export interface ClientSession {
  readonly sessionId: string;
  /** The reconciler. */
  readonly name: string;
  /** Which of its instances. */
  readonly instanceId: string;
  readonly language: string;
  /** Higher for every later session of the instance. */
  readonly epoch: bigint;
  readonly kinds: readonly KindRef[];
  /** Empty: all. */
  readonly shardIds: readonly string[];
  /** How many leases it holds, and how many it may hold. */
  readonly leases: number;
  readonly concurrency: number;
  readonly registeredAt: Date | undefined;
  /** When it renewed last. */
  readonly lastSeenAt: Date | undefined;
  /** When it ends unless it is renewed. */
  readonly expiresAt: Date | undefined;
  /** Passes whose reports were accepted since it registered, and how many of these failed; counted within seconds. */
  readonly passes: number;
  readonly failedPasses: number;
}

/** A finalizer that keeps a resource, and who is to take it off. */
export interface ClientFinalizerHold {
  readonly finalizer: string;
  /** The reconciler that registered it, or `server`; empty when nobody of that name is known. */
  readonly owner: string;
  readonly isOwnerLive: boolean;
  /** What it waits for, in words. */
  readonly message: string;
}

/** Reads the answer of GetWork. */
export function readWork(wire: GetWorkResponse): ClientWork {
  const { item, holder } = wire;
  return {
    state: nameIn(WorkState, wire.state),
    item: item && readItem(item),
    holder: holder && readSession(holder),
    reconciler: wire.reconciler,
    deletionRequestedAt: readTime(wire.deletionRequestedAt),
    finalizers: wire.finalizers.map(({ finalizer, owner, isOwnerLive, message }) => ({
      finalizer,
      owner,
      isOwnerLive,
      message,
    })),
    ownedResources: wire.ownedResources,
  };
}

/** Reads an item of ListWork's answer. */
export function readListedWork(wire: WireItem): ClientListedWork {
  if (wire.key === undefined) throw new Error("the server answered with work that has no key");
  const { resourceGroup, kind, namespace, name } = wire.key;
  return {
    key: { resourceGroup, kind, namespace, name },
    state: nameIn(WorkState, wire.state),
    holderSessionId: wire.holderSessionId,
    ...readItem(wire),
  };
}

/** Reads a session of ListReconcilers' answer. */
export function readSession(wire: WireSession): ClientSession {
  const { sessionId, name, instanceId, language, epoch, kinds, shardIds, leases, concurrency } = wire;
  return {
    ...{ sessionId, name, instanceId, language, epoch, shardIds, leases, concurrency },
    kinds: kinds.map(({ resourceGroup, kind }) => ({ resourceGroup, kind })),
    registeredAt: readTime(wire.registeredAt),
    lastSeenAt: readTime(wire.lastSeenAt),
    expiresAt: readTime(wire.expiresAt),
    passes: Number(wire.passes),
    failedPasses: Number(wire.failedPasses),
  };
}

function readItem(item: WireItem): ClientWorkItem {
  return {
    reason: nameIn(WorkReason, item.reason),
    message: item.message,
    dueAt: readTime(item.dueAt),
    pendingSince: readTime(item.pendingSince),
    failures: item.failures,
    lastError: item.lastError,
    leasedAt: readTime(item.leasedAt),
    deadline: readTime(item.deadline),
    strikes: item.strikes,
    quarantinedAt: readTime(item.quarantinedAt),
    progress: item.progress,
  };
}

/** The name of a value of a generated enum, whatever number came over the wire. */
export function nameIn<Names extends { readonly [value: number]: string; readonly UNSPECIFIED: number }>(
  names: Names,
  value: number,
): Extract<keyof Names, string> {
  // The generated object maps values to the very names that are its keys.
  return (names[value] ?? "UNSPECIFIED") as Extract<keyof Names, string>;
}

function readTime(time: Timestamp | undefined): Date | undefined {
  return time && timestampDate(time);
}
