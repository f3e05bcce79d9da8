import type { KindRef, ResourceKey } from "../../resource/key.js";
import type { Resource } from "../../resource/resource.js";
import type { PassReport, WorkItem, WorkReason } from "../../resource/work.js";
import type { FinalizerHold, WorkState } from "../../resource/work-state.js";
import type { Progress } from "./lease-query.js";

/** A worker's registration; validated by `validate-registration.ts`, defaults filled in. */
export interface Registration {
  readonly name: string;
  readonly instanceId: string;
  readonly language: string;
  readonly kinds: readonly KindRef[];
  /** Empty: all shards. */
  readonly shardIds: readonly string[];
  readonly concurrency: number;
  readonly leaseDurationMs: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  readonly resyncPeriodMs: number;
  readonly passDeadlineMs: number;
  /** Empty: none. */
  readonly finalizer: string;
  /** Leases the session gets per second; 0: no limit. */
  readonly passesPerSecond: number;
  /** Leases it gets at once after a pause; 0: no limit. */
  readonly burst: number;
  /** Leases of each kind at once, over all sessions of the reconciler; 0: no limit. The newest registration decides. */
  readonly kindConcurrency: number;
}

/** A live session. */
export interface Session extends Registration {
  readonly sessionId: string;
  readonly epoch: bigint;
  readonly registeredAt: Date;
  readonly expiresAt: Date;
  /** When it registered or renewed last. */
  readonly lastSeenAt: Date;
  /** Leases held. */
  readonly leases: number;
  /** Passes whose reports were accepted, and how many of these failed; some seconds behind. */
  readonly passes: bigint;
  readonly failedPasses: bigint;
}

/** A leased resource on its way to a worker. */
export interface LeasedItem {
  readonly resource: Resource;
  readonly leaseToken: string;
  /** 1 for the first pass since the last success. */
  readonly attempt: number;
  readonly deadline: Date;
  readonly reason: WorkReason;
  readonly message: string;
  /** What an earlier holder said of how far it came, since the last success; empty when none did. */
  readonly progress: string;
  /** What it left for this one. */
  readonly checkpoint: Uint8Array | undefined;
  /** Whether workers died holding it, so that this one gets nothing else meanwhile. */
  readonly isSolo: boolean;
}

/** Why a resource waits, who works on it, and what keeps it from going. */
export interface WorkDetails {
  readonly state: WorkState;
  /** Undefined when there is nothing to do. */
  readonly item: WorkItem | undefined;
  /** Undefined when nobody holds it. */
  readonly holder: Session | undefined;
  /** The reconciler of the kind that has live sessions; empty when there is none, and then nothing will happen. */
  readonly reconciler: string;
  readonly deletionRequestedAt: Date | null;
  readonly finalizers: readonly FinalizerHold[];
  /** Resources that belong to it; counts to 1,000. */
  readonly ownedResources: number;
}

/** An entry of the queue and its state on the database clock. */
export interface ListedWork extends WorkItem {
  readonly state: WorkState;
}

/** Which entries of the queue to list. */
export interface WorkFilter {
  readonly resourceGroup?: string | undefined;
  readonly kind?: string | undefined;
  /** SETTLED is INVALID_ARGUMENT: there is no item then. */
  readonly state?: WorkState | undefined;
}

/** The answer to one report, in request order. */
export interface ReportResult {
  readonly outcome: "ACCEPTED" | "STALE" | "INVALID";
  readonly message: string;
}

/** What ReconcilerService offers, in domain types. Every method rejects with DomainError. */
export interface WorkService {
  register(registration: Registration): Promise<{ readonly sessionId: string; readonly epoch: bigint }>;
  /** Yields at once and every few seconds; when `signal` aborts by the client's doing the leases are returned after 500 ms. */
  attach(sessionId: string, signal: AbortSignal): AsyncIterable<{ readonly serverTime: Date }>;
  lease(sessionId: string, maxItems: number, waitMs: number, signal: AbortSignal): Promise<readonly LeasedItem[]>;
  /** Returns the listed tokens that are no longer the session's. Stores how far passes have come. */
  renew(sessionId: string, leaseTokens: readonly string[], progress?: readonly Progress[]): Promise<readonly string[]>;
  report(
    sessionId: string,
    reports: readonly (PassReport | { readonly invalid: string })[],
  ): Promise<readonly ReportResult[]>;
  deregister(sessionId: string): Promise<void>;
  enqueue(key: ResourceKey, message: string): Promise<void>;
  /** Ends the resource's quarantine; returns the resource. NOT_QUARANTINED when it is in none. `dryRun`: only tells. */
  releaseQuarantine(key: ResourceKey, options?: { readonly dryRun?: boolean }): Promise<Resource>;
  getWork(key: ResourceKey): Promise<WorkDetails>;
  listSessions(): Promise<readonly Session[]>;
  /** By key; `after` is the last key of the page before. */
  listWork(filter: WorkFilter, after: ResourceKey | undefined, limit: number): Promise<readonly ListedWork[]>;
}
