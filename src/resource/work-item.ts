import type { ResourceKey } from "./key.js";
import { CLEAN, clearsStrikes } from "./quarantine.js";
import type { PassResult, Priority, PriorityShift, WorkItem, WorkReason } from "./work.js";
import { PRIORITY, REPEAT_PAUSE_MS } from "./work.js";
import { shiftPriority } from "./work-priority.js";

/** A wish for a pass. */
export interface EnqueueRequest {
  readonly key: ResourceKey;
  readonly resourceId: bigint;
  readonly shardId: string;
  readonly isPending: boolean;
  readonly reason: WorkReason;
  readonly message: string;
  /** As it is for all resources: `priorityShift` is added to it. */
  readonly priority: Priority;
  readonly priorityShift: PriorityShift;
  readonly dueAt: Date;
  /** When the wish is made. */
  readonly now: Date;
  /** Whether earlier failures are forgotten: the desired state is new, so they say nothing about it. */
  readonly cutBackoff: boolean;
}

/**
 * Wants one more pass. A leased item stays leased and is due once the lease ends; `wanted` tells the report of that lease
 * that a change came meanwhile (I7). The newest reason is the one shown.
 */
export function enqueue(item: WorkItem | undefined, request: EnqueueRequest): WorkItem {
  const { key, resourceId, shardId, isPending, reason, message, priorityShift, dueAt, now, cutBackoff } = request;
  const priority = shiftPriority(request.priority, priorityShift);
  const wish = { key, resourceId, shardId, isPending, reason, message, priority, priorityShift, dueAt };
  const pendingSince = isPending ? now : null;
  if (item === undefined) {
    return { pendingSince, wanted: 1n, failures: 0, lastError: "", lease: null, ...wish, ...FRESH };
  }
  const isSuccessor = item.resourceId !== request.resourceId;
  const past = isSuccessor ? { pendingSince, ...FRESH } : carryOver(item, request);
  // A leased item's try is under way: what comes after it is decided when the lease ends.
  const isHeldBack = past.quarantinedAt !== null && item.lease === null;
  return {
    wanted: item.wanted + 1n,
    failures: cutBackoff || isSuccessor ? 0 : item.failures,
    lastError: isSuccessor ? "" : item.lastError,
    lease: item.lease,
    ...wish,
    ...past,
    dueAt: isHeldBack ? item.dueAt : earliest(item.dueAt, request.dueAt),
    // Without a due time the stored priority is that of the pass in progress, which no longer competes.
    priority: item.dueAt !== null && item.priority < wish.priority ? item.priority : wish.priority,
  };
}

/** What no pass and no worker has said anything about yet. */
const FRESH = { ...CLEAN, progress: "", hasCheckpoint: false } as const;

/** What is known of the resource from before a wish and still counts after it. */
function carryOver(item: WorkItem, { reason, isPending, now }: EnqueueRequest) {
  const { deaths, strikes, quarantinedAt, progress, hasCheckpoint } = item;
  const pendingSince = isPending ? (item.pendingSince ?? now) : null;
  if (clearsStrikes(reason)) return { progress, hasCheckpoint, pendingSince, ...CLEAN };
  // Whoever wrote the status, with or without metadata, may have dropped the condition: it is shown again, if so.
  const mayBeLost = reason === "STATUS_CHANGED" || reason === "METADATA_CHANGED";
  const isQuarantineShown = item.isQuarantineShown && !mayBeLost;
  return { deaths, strikes, quarantinedAt, isQuarantineShown, progress, hasCheckpoint, pendingSince };
}

/** A status written without a lease caught up with the generation: its writer did the pass. Only a leased item is left. */
export function settle(item: WorkItem | undefined): WorkItem | undefined {
  if (item === undefined || item.lease === null) return undefined;
  return { ...item, ...CLEAN, isPending: false, pendingSince: null };
}

/** The resource was removed. Its lease stays: it blocks a successor of the same key until the report or the expiry (I7). */
export function remove(item: WorkItem | undefined): WorkItem | undefined {
  if (item === undefined || item.lease === null) return undefined;
  const unqueued = { resourceId: null, dueAt: null, isPending: false, pendingSince: null };
  return { ...item, ...FRESH, ...unqueued, failures: 0, lastError: "" };
}

/** How a pass ended and what the report left behind. */
export interface PassEnd {
  readonly result: PassResult;
  readonly now: Date;
  /** Whether the resource is pending after the report was applied. */
  readonly isPendingAfter: boolean;
  /** Whether the report removed the resource, or it was gone already. */
  readonly removed: boolean;
  /** The delay after one more failure (`backoff.ts`). */
  readonly backoffMs: number;
}

/**
 * Ends the lease of `item` with its holder's report; undefined when the item is settled. A wish that came during the pass
 * makes the item due at once whatever the result (I7). Throws when the item is not leased: the caller checked the token.
 */
export function finishPass(item: WorkItem, end: PassEnd): WorkItem | undefined {
  const { lease } = item;
  if (lease === null) throw new Error("finishPass needs a leased item");
  // A report on a life of the key that is over says nothing about its successor, which waits with its own due time.
  if (item.resourceId !== lease.resourceId) return item.dueAt === null ? undefined : { ...item, lease: null };
  if (end.removed) return undefined;
  const isMoreWanted = item.wanted !== lease.wanted;
  const pendingSince = end.isPendingAfter ? (item.pendingSince ?? end.now) : null;
  const ended = { ...item, lease: null, isPending: end.isPendingAfter, pendingSince };
  // Whoever reports is alive: the resource is no danger to workers. A released one was not tried.
  const after = afterResult(end.result.type === "RELEASE" ? ended : { ...ended, ...CLEAN }, end, isMoreWanted);
  if (!isMoreWanted) return after.dueAt === null ? undefined : after;
  const { reason, message, priority } = item;
  return { ...after, reason, message, priority, dueAt: earliest(item.dueAt, end.now) };
}

/** The item as the result alone leaves it; no due time: settled. `isMoreWanted`: a change came during the pass. */
function afterResult(item: WorkItem, { result, now, backoffMs }: PassEnd, isMoreWanted: boolean): WorkItem {
  switch (result.type) {
    case "SUCCESS": {
      const completed = { ...item, progress: "", hasCheckpoint: false };
      // Observed too low with nothing newer wanted: the worker would spin on its mistake, so it counts as a failure.
      if (item.isPending && !isMoreWanted)
        return afterFailure(completed, "SUCCESS reported below the stored generation", now, backoffMs);
      return { ...completed, failures: 0, lastError: "", dueAt: null };
    }
    case "ERROR":
      return afterFailure(item, result.error, now, backoffMs);
    case "REQUEUE_AFTER":
      // The row of failures ends, so that a resource polled for ever is not held back by errors of last week.
      return {
        ...item,
        failures: 0,
        dueAt: later(now, result.afterMs <= NOW_MS ? pauseAfter(item, "REQUEUE_AFTER", NOW_MS) : result.afterMs),
        priority: shiftPriority(PRIORITY.retry, item.priorityShift),
        reason: "REQUEUE_AFTER",
        message: "",
      };
    case "RELEASE":
      return { ...item, dueAt: later(now, pauseAfter(item, "LEASE_RETURNED", 0)), reason: "LEASE_RETURNED" };
  }
}

/** A REQUEUE_AFTER of no more asks for a pass at once: its time had come already. */
const NOW_MS = 1;

/**
 * What asks to be tried at once is, but not twice in a row: a reconciler that says so for ever would spin. The reason is the one the
 * lease was taken for, unless something newer was wanted meanwhile, and then the item is due at once.
 */
function pauseAfter(item: WorkItem, reason: WorkReason, atOnceMs: number): number {
  return item.reason === reason ? REPEAT_PAUSE_MS : atOnceMs;
}

function afterFailure(item: WorkItem, error: string, now: Date, backoffMs: number): WorkItem {
  return {
    ...item,
    failures: item.failures + 1,
    lastError: error,
    dueAt: later(now, backoffMs),
    priority: shiftPriority(PRIORITY.retry, item.priorityShift),
    reason: "RETRY",
    message: error,
  };
}

function earliest(a: Date | null, b: Date): Date {
  return a !== null && a <= b ? a : b;
}

function later(now: Date, ms: number): Date {
  return new Date(now.getTime() + ms);
}
