import type { ResourceKey } from "./key.js";

/** Why a resource is due; stored and shown. */
export type WorkReason =
  | "CREATED"
  | "SPEC_CHANGED"
  | "DELETION_REQUESTED"
  | "METADATA_CHANGED"
  | "STATUS_CHANGED"
  | "ENQUEUED"
  | "RETRY"
  | "REQUEUE_AFTER"
  | "RESYNC"
  | "LEASE_RETURNED"
  | "DEADLINE_EXCEEDED"
  | "CHILD_CHANGED"
  | "WORKER_DIED"
  | "RELEASED";

/** The order of hand-out inside a kind: fresh changes before retries before the sweep (work-priority.ts may shift them). */
export const PRIORITY = { urgent: -1, change: 0, retry: 1, sweep: 2 } as const;
export type Priority = (typeof PRIORITY)[keyof typeof PRIORITY];

/** How a resource's annotation shifts the class of its work: -1 more urgent, 1 less (work-priority.ts). */
export type PriorityShift = -1 | 0 | 1;

/** A lease on a work item. Valid while the token is stored, its session lives and its deadline is ahead (I7). */
interface Lease {
  /** Random, so never used twice: not after a removal, a restart or a failover (2.9). */
  readonly token: string;
  readonly sessionId: string;
  /** The resource the lease was taken on; differs from the item's once a successor took over the key. */
  readonly resourceId: bigint;
  /** The item's `wanted` when the lease was taken: a higher one at report time asks for one more pass. */
  readonly wanted: bigint;
  readonly leasedAt: Date;
  readonly deadline: Date;
}

/** The queue's entry for one resource key; exists while a pass is due, waiting or leased. */
export interface WorkItem {
  readonly key: ResourceKey;
  /** The resource's `id`; null when the resource is gone and only the lease blocks a successor. */
  readonly resourceId: bigint | null;
  readonly shardId: string;
  /** Raised by every enqueue. */
  readonly wanted: bigint;
  /** Null: nothing is wanted beyond the running pass. */
  readonly dueAt: Date | null;
  readonly priority: Priority;
  /** Of the resource when the last wish was made. */
  readonly priorityShift: PriorityShift;
  readonly reason: WorkReason;
  /** Words given with Enqueue, or the last error. */
  readonly message: string;
  /** Failed passes in a row. */
  readonly failures: number;
  readonly lastError: string;
  /** Whether the resource's generation is above its observed generation. */
  readonly isPending: boolean;
  /** Since when; null while it is not pending. */
  readonly pendingSince: Date | null;
  /** Workers in a row that died holding it, whatever else they held: after the second it is leased alone (ADR 5). */
  readonly deaths: number;
  /** Workers in a row that died while it was all they held (quarantine.ts). */
  readonly strikes: number;
  /** Since when it is tried only now and then; null when it is not quarantined. */
  readonly quarantinedAt: Date | null;
  /** Whether the resource's condition tells of the quarantine already. */
  readonly isQuarantineShown: boolean;
  /** What a holder said last of how far it came, since the last success. */
  readonly progress: string;
  /** Whether a holder left a checkpoint since then. Its bytes stay in the database: only the next holder needs them. */
  readonly hasCheckpoint: boolean;
  readonly lease: Lease | null;
}

/** A condition in `status.conditions`. */
export interface ConditionUpdate {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

/** The longest wait a REQUEUE_AFTER may ask for: 30 days, in milliseconds. */
export const REQUEUE_MAX_MS = 30 * 24 * 3_600_000;

/** How long an unchanged resource waits after a second RELEASE, or REQUEUE_AFTER of nothing, in a row; in milliseconds. */
export const REPEAT_PAUSE_MS = 1_000;

/** How a pass ended. */
export type PassResult =
  | { readonly type: "SUCCESS" }
  /** `afterMs` up to 1: at once. */
  | { readonly type: "REQUEUE_AFTER"; readonly afterMs: number }
  | { readonly type: "ERROR"; readonly error: string }
  | { readonly type: "RELEASE" };

/** A worker's report on one leased resource, already validated. */
export interface PassReport {
  readonly key: ResourceKey;
  readonly leaseToken: string;
  readonly result: PassResult;
  readonly observedGeneration: bigint | undefined;
  /** Undefined: unchanged. */
  readonly statusJson: string | undefined;
  /** Whether `statusJson` takes the stored status's place, or is merged into it (merge-patch.ts). */
  readonly statusMode: "REPLACE" | "MERGE";
  readonly conditions: readonly ConditionUpdate[];
  readonly addFinalizers: readonly string[];
  readonly removeFinalizers: readonly string[];
  /** null removes. */
  readonly labels: ReadonlyMap<string, string | null>;
  /** null removes. */
  readonly annotations: ReadonlyMap<string, string | null>;
}

/** What a session contributes to deciding a report; stored with the session. */
export interface SessionPolicy {
  readonly sessionId: string;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  /** The finalizer the server keeps for the reconciler; empty for none. */
  readonly finalizer: string;
}
