import { backoffMs } from "./backoff.js";
import { type ChangedBy, changeEffect } from "./change-effect.js";
import type { Command, DeletionPropagation, Outcome, Precondition, ResourceInput } from "./command.js";
import { decideQuarantine, withQuarantineEnd } from "./decide-quarantine.js";
import { decideReport } from "./decide-report.js";
import { DomainError } from "./errors.js";
import { withoutForced } from "./forced-finalizer.js";
import { describeKey, type ResourceKey } from "./key.js";
import { checkFits } from "./limits.js";
import { type FindOwner, ownerAfter, ownerOfNew, sameOwner } from "./owner.js";
import { checkNoFinalizerAdded, checkObservedGeneration, checkPrecondition, requireExisting } from "./preconditions.js";
import { isPending, type Resource, sameEntries, sameList } from "./resource.js";
import { sameJson } from "./same-json.js";
import { replaceFinalizers, withHold } from "./server-finalizers.js";
import { checkNewKey } from "./validate.js";
import { PRIORITY, type WorkItem } from "./work.js";
import { type EnqueueRequest, enqueue, finishPass, remove, settle } from "./work-item.js";
import { priorityShiftOf } from "./work-priority.js";

/** Everything stored under one key, read under the lock of its log. */
export interface KeyState {
  readonly resource: Resource | undefined;
  readonly item: WorkItem | undefined;
  /** Whether the session of `item.lease` is alive on the database clock. */
  readonly isSessionLive: boolean;
}

/** Where a decision takes time, identity and chance from. */
export interface DecisionContext {
  /** The database clock, in whole milliseconds. */
  readonly now: Date;
  /** For a resource that is created. */
  readonly newId: () => bigint;
  readonly newUid: () => string;
  /** In [0, 1), another one each time; spreads retries. */
  readonly random: () => number;
  /** Finds owners, and the owners of those, as earlier decisions left them. */
  readonly findOwner: FindOwner;
}

/** The state after a command. `resource` is the very object of the state before when nothing is written. */
export interface Decision {
  readonly outcome: Outcome;
  readonly resource: Resource | undefined;
  /** What the caller is shown; for REMOVED the last state. */
  readonly answer: Resource | undefined;
  readonly item: WorkItem | undefined;
}

/** What a command makes of the resource alone. */
interface Write {
  readonly outcome: Outcome;
  readonly after: Resource | undefined;
  readonly answer: Resource | undefined;
  readonly by: ChangedBy;
}

/**
 * Decides one command: the only place where resources change. Pure. Throws DomainError when the command is refused; then
 * nothing is written.
 */
export function decide(state: KeyState, command: Command, context: DecisionContext): Decision {
  const write = decideWrite(state, command, context);
  const item = decideItem(state, command, context, write);
  const decision = { outcome: write.outcome, resource: write.after, answer: write.answer, item };
  return withQuarantineEnd(state, command, decision, context.now);
}

function decideWrite(state: KeyState, command: Command, context: DecisionContext): Write {
  const before = state.resource;
  switch (command.type) {
    case "create":
      if (before !== undefined) {
        throw new DomainError(
          "ALREADY_EXISTS",
          "ALREADY_EXISTS",
          `${describeKey(before.key)} exists already; update it, or choose another name`,
        );
      }
      return create(command.input, context);
    case "update": {
      const current = requireExisting(before, command.input.key);
      checkPrecondition(current, command.expected, command.input.shardId);
      return replaceDesired(current, command.input, context);
    }
    case "apply":
      return before === undefined ? create(command.input, context) : applyDesired(before, command.input, context);
    case "update-status": {
      const current = requireExisting(before, command.key);
      checkPrecondition(current, command.expected, undefined);
      const observedGeneration = command.observedGeneration ?? current.observedGeneration;
      checkObservedGeneration(current, observedGeneration);
      const after = touch(current, context, {
        statusJson: command.statusJson,
        observedGeneration,
        ...(command.metadata && {
          ...command.metadata,
          finalizers: replaceFinalizers(current.finalizers, command.metadata.finalizers),
        }),
      });
      return written(current, after, "status-write");
    }
    case "delete":
      return requestDeletion(
        requireExisting(before, command.key),
        command.expected,
        command.propagation ?? "BACKGROUND",
        context,
      );
    case "collect":
      return collect(before, command, context);
    case "release-owner": {
      if (before === undefined || before.uid !== command.uid || !before.finalizers.includes(command.finalizer)) {
        return unchanged(before);
      }
      const finalizers = before.finalizers.filter((name) => name !== command.finalizer);
      return written(before, touch(before, context, { finalizers }), "other");
    }
    case "force-finalizer": {
      const current = requireExisting(before, command.key);
      checkPrecondition(current, command.expected, undefined);
      const changes = withoutForced(current, command.finalizer, command.message, context.now);
      return written(current, touch(current, context, changes), "other");
    }
    case "report":
    case "hold":
      return { by: "holder", ...decideReport(state, command, context.now) };
    case "show-quarantine":
    case "release-quarantine":
      return { by: "server", ...decideQuarantine(state, command, context.now) };
  }
}

function decideItem(state: KeyState, command: Command, context: DecisionContext, write: Write): WorkItem | undefined {
  const { item, resource: before } = state;
  const { after } = write;
  if (command.type === "report" && write.outcome !== "STALE" && item !== undefined) {
    return finishPass(item, {
      result: command.report.result,
      now: context.now,
      isPendingAfter: after !== undefined && isPending(after),
      removed: after === undefined,
      backoffMs: backoffMs(
        item.failures + 1,
        command.session.backoffBaseMs,
        command.session.backoffMaxMs,
        context.random(),
      ),
    });
  }
  if (command.type === "show-quarantine") return item?.quarantinedAt ? { ...item, isQuarantineShown: true } : item;
  if (command.type === "release-quarantine" && after !== undefined) {
    return enqueue(item, wishFor(after, { reason: "RELEASED", cutBackoff: true }, context));
  }
  if (after === before) return item;
  const effect = changeEffect(before, after, write.by);
  switch (effect.type) {
    case "none":
      return item;
    case "settle": {
      const settled = settle(item);
      // Only a leased item is left: its holder began before this write.
      const isUnseen = effect.unseen !== undefined && settled !== undefined && after !== undefined;
      return isUnseen
        ? enqueue(settled, wishFor(after, { reason: effect.unseen, cutBackoff: false }, context))
        : settled;
    }
    case "remove":
      return remove(item);
    case "enqueue":
      // changeEffect asks for a pass only over a resource that exists after the write.
      return after === undefined ? item : enqueue(item, wishFor(after, effect, context));
  }
}

function wishFor(
  resource: Resource,
  { reason, cutBackoff }: Pick<EnqueueRequest, "reason" | "cutBackoff">,
  { now }: DecisionContext,
): EnqueueRequest {
  return {
    key: resource.key,
    resourceId: resource.id,
    shardId: resource.shardId,
    isPending: isPending(resource),
    reason,
    message: "",
    priority: PRIORITY.change,
    priorityShift: priorityShiftOf(resource.annotations),
    dueAt: now,
    now,
    cutBackoff,
  };
}

function create(input: ResourceInput, context: DecisionContext): Write {
  checkNewKey(input.key);
  const after: Resource = {
    key: input.key,
    id: context.newId(),
    uid: context.newUid(),
    shardId: input.shardId,
    labels: input.labels,
    annotations: input.annotations,
    finalizers: replaceFinalizers([], input.finalizers),
    owner: ownerOfNew(input.key, input.owner, context.findOwner),
    specJson: input.specJson,
    statusJson: null,
    generation: 1n,
    observedGeneration: 0n,
    // The commit numbers it.
    revision: 0n,
    writeCount: 1n,
    createdAt: context.now,
    updatedAt: context.now,
    deletionRequestedAt: null,
  };
  return { outcome: "CREATED", after, answer: after, by: "other" };
}

function replaceDesired(before: Resource, input: ResourceInput, context: DecisionContext): Write {
  const { shardId, labels, annotations, specJson } = input;
  const finalizers = replaceFinalizers(before.finalizers, input.finalizers);
  const owner = ownerAfter(before, input.owner, context.findOwner);
  const generation = before.generation + 1n;
  return written(
    before,
    touch(before, context, { shardId, labels, annotations, finalizers, owner, specJson, generation }),
    "other",
  );
}

/** Finalizers are often added by reconcilers: a declaration that names none leaves them alone. */
function applyDesired(before: Resource, input: ResourceInput, context: DecisionContext): Write {
  const finalizers =
    input.finalizers.length === 0 ? before.finalizers : replaceFinalizers(before.finalizers, input.finalizers);
  const isSame =
    before.shardId === input.shardId &&
    sameEntries(before.labels, input.labels) &&
    sameEntries(before.annotations, input.annotations) &&
    sameList(before.finalizers, finalizers) &&
    sameOwner(before.owner, ownerAfter(before, input.owner, context.findOwner)) &&
    sameJson(before.specJson, input.specJson);
  if (isSame) return unchanged(before);
  return replaceDesired(before, { ...input, finalizers }, context);
}

function requestDeletion(
  before: Resource,
  expected: Precondition,
  propagation: DeletionPropagation,
  context: DecisionContext,
): Write {
  checkPrecondition(before, expected, undefined);
  if (before.deletionRequestedAt !== null) {
    return { outcome: "DELETION_REQUESTED", after: before, answer: before, by: "other" };
  }
  const finalizers = withHold(before.finalizers, propagation);
  if (finalizers.length === 0) return { outcome: "REMOVED", after: undefined, answer: before, by: "other" };
  const generation = before.generation + 1n;
  const after = touch(before, context, { finalizers, deletionRequestedAt: context.now, generation });
  return { outcome: "DELETION_REQUESTED", after, answer: after, by: "other" };
}

/** Whoever was released, adopted by another owner or created anew since the collector looked is none of its business. */
function collect(
  before: Resource | undefined,
  command: Extract<Command, { type: "collect" }>,
  context: DecisionContext,
): Write {
  if (before === undefined || before.uid !== command.uid || before.owner?.uid !== command.ownerUid) {
    return unchanged(before);
  }
  if (command.propagation === "ORPHAN") return written(before, touch(before, context, { owner: null }), "other");
  return requestDeletion(before, {}, command.propagation, context);
}

function unchanged(before: Resource | undefined): Write {
  return { outcome: "UNCHANGED", after: before, answer: before, by: "other" };
}

/** A write that drops the last finalizer of a resource whose deletion was requested removes it (I5). */
function written(before: Resource, after: Resource, by: ChangedBy): Write {
  if (before.deletionRequestedAt !== null && after.finalizers.length === 0) {
    return { outcome: "REMOVED", after: undefined, answer: after, by };
  }
  checkNoFinalizerAdded(before, after.finalizers, "finalizers");
  checkFits(after);
  return { outcome: "UPDATED", after, answer: after, by };
}

function touch(before: Resource, context: DecisionContext, changes: Partial<Resource>): Resource {
  return { ...before, ...changes, writeCount: before.writeCount + 1n, updatedAt: context.now };
}

/** The key a command is about. */
export function keyOf(command: Command): ResourceKey {
  switch (command.type) {
    case "create":
    case "update":
    case "apply":
      return command.input.key;
    case "update-status":
    case "delete":
    case "hold":
    case "show-quarantine":
    case "release-quarantine":
    case "collect":
    case "release-owner":
    case "force-finalizer":
      return command.key;
    case "report":
      return command.report.key;
  }
}
