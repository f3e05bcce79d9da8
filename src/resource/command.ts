import type { ResourceKey } from "./key.js";
import type { Owner } from "./owner.js";
import type { StringMap } from "./resource.js";
import type { PassReport, SessionPolicy } from "./work.js";

/** The desired state a user writes; already validated (`validate.ts`). */
export interface ResourceInput {
  readonly key: ResourceKey;
  readonly shardId: string;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly finalizers: readonly string[];
  readonly specJson: string | null;
  /** Undefined: as stored. Null: none. */
  readonly owner?: Owner | null | undefined;
}

/** What the deletion of a resource does to those that belong to it (`DeletionPropagation` in resource_service.proto). */
export type DeletionPropagation = "BACKGROUND" | "FOREGROUND" | "ORPHAN";

/** What the writer saw; a write is refused when the stored value differs. */
export interface Precondition {
  /** Checked together with `shardId` when both are given: a revision is a number in its shard's log. */
  readonly revision?: bigint | undefined;
  readonly generation?: bigint | undefined;
  readonly uid?: string | undefined;
}

/** Metadata that the REST dialect's status write replaces along with the status. */
export interface MetadataInput {
  readonly shardId: string;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly finalizers: readonly string[];
}

/** A request to change one resource. One pure function decides each (`decide.ts`). */
export type Command =
  | { readonly type: "create"; readonly input: ResourceInput }
  | { readonly type: "update"; readonly input: ResourceInput; readonly expected: Precondition }
  | { readonly type: "apply"; readonly input: ResourceInput }
  | {
      readonly type: "update-status";
      readonly key: ResourceKey;
      readonly statusJson: string | null;
      /** Undefined: unchanged. */
      readonly observedGeneration: bigint | undefined;
      /** Undefined: unchanged. */
      readonly metadata: MetadataInput | undefined;
      readonly expected: Precondition;
    }
  | {
      readonly type: "delete";
      readonly key: ResourceKey;
      readonly expected: Precondition;
      /** BACKGROUND by default. The first request decides: repeating it with another one changes nothing. */
      readonly propagation?: DeletionPropagation | undefined;
    }
  /** The collector's word on a child of an owner on its way out: deletes it, or with ORPHAN takes its owner off. */
  | {
      readonly type: "collect";
      readonly key: ResourceKey;
      /** UNCHANGED unless the resource is this life of the key and still belongs to this owner. */
      readonly uid: string;
      readonly ownerUid: string;
      readonly propagation: DeletionPropagation;
    }
  /** The collector takes off the hold it was waited for by; UNCHANGED when this life of the key does not have it. */
  | { readonly type: "release-owner"; readonly key: ResourceKey; readonly uid: string; readonly finalizer: string }
  | {
      readonly type: "force-finalizer";
      readonly key: ResourceKey;
      readonly finalizer: string;
      readonly message: string;
      readonly expected: Precondition;
    }
  /** The end of a pass. */
  | { readonly type: "report"; readonly report: PassReport; readonly session: SessionPolicy }
  /** Adds the reconciler's finalizer before a fresh lease is handed out, so that no side effect outlives its resource. */
  | {
      readonly type: "hold";
      readonly key: ResourceKey;
      readonly leaseToken: string;
      readonly sessionId: string;
      readonly finalizer: string;
    }
  /** Makes a condition tell of the resource's quarantine; UNCHANGED when there is none, or it does. */
  | { readonly type: "show-quarantine"; readonly key: ResourceKey }
  /** Ends the quarantine: the resource is due now. */
  | { readonly type: "release-quarantine"; readonly key: ResourceKey };

/** What a command did. */
export type Outcome =
  | "CREATED"
  | "UPDATED"
  | "UNCHANGED"
  | "REMOVED"
  /** A deletion that finalizers still hold. */
  | "DELETION_REQUESTED"
  /** A report or hold whose lease is not the session's any more; nothing was written. */
  | "STALE";
