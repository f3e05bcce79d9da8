import type { Command, Outcome } from "./command.js";
import { setConditions } from "./conditions.js";
import type { KeyState } from "./decide.js";
import { addFinalizers } from "./finalizers.js";
import { checkFits } from "./limits.js";
import { mergePatch } from "./merge-patch.js";
import { checkNoFinalizerAdded, checkObservedGeneration } from "./preconditions.js";
import { type Resource, type StringMap, sameEntries, sameList } from "./resource.js";
import { sameJson } from "./same-json.js";
import { patchFinalizers } from "./server-finalizers.js";
import type { PassReport } from "./work.js";

/** What a report or hold makes of the resource. */
interface HolderWrite {
  readonly outcome: Outcome;
  readonly after: Resource | undefined;
  readonly answer: Resource | undefined;
}

/**
 * Decides what the holder of a lease writes. STALE unless the lease is current on the database clock (I8). A life of the key
 * that is over is not written to, but its lease ends properly.
 */
export function decideReport(
  state: KeyState,
  command: Extract<Command, { type: "report" | "hold" }>,
  now: Date,
): HolderWrite {
  const { resource: before, item } = state;
  const lease = item?.lease ?? null;
  const [token, sessionId] =
    command.type === "report"
      ? [command.report.leaseToken, command.session.sessionId]
      : [command.leaseToken, command.sessionId];
  const isCurrent =
    lease !== null &&
    lease.token === token &&
    lease.sessionId === sessionId &&
    state.isSessionLive &&
    lease.deadline.getTime() > now.getTime();
  if (!isCurrent) return { outcome: "STALE", after: before, answer: undefined };
  if (before === undefined || before.id !== lease.resourceId) {
    return { outcome: "UNCHANGED", after: before, answer: undefined };
  }
  // Nothing newer was wanted: the pass saw the generation that is stored, whatever it says it finished.
  const seen = item?.wanted === lease.wanted ? before.generation : before.observedGeneration;
  const after = command.type === "report" ? reported(before, command, seen, now) : held(before, command.finalizer);
  if (isSame(before, after)) return { outcome: "UNCHANGED", after: before, answer: before };
  const next = { ...after, writeCount: before.writeCount + 1n, updatedAt: now };
  checkFits(next);
  if (next.deletionRequestedAt !== null && next.finalizers.length === 0) {
    return { outcome: "REMOVED", after: undefined, answer: next };
  }
  return { outcome: "UPDATED", after: next, answer: next };
}

/** A resource on its way out gets no new hold: the first pass over it has nothing to clean up. */
function held(before: Resource, finalizer: string): Resource {
  if (before.deletionRequestedAt !== null) return before;
  return { ...before, finalizers: addFinalizers(before.finalizers, [finalizer]) };
}

function reported(
  before: Resource,
  command: Extract<Command, { type: "report" }>,
  seenGeneration: bigint,
  now: Date,
): Resource {
  const { report } = command;
  const observed = report.observedGeneration ?? before.observedGeneration;
  checkObservedGeneration(before, observed);
  const statusJson = reportedStatus(before, report);
  return {
    ...before,
    statusJson:
      report.conditions.length === 0
        ? statusJson
        : setConditions(
            statusJson,
            report.conditions,
            report.observedGeneration ?? seenGeneration,
            now,
            before.statusJson,
          ),
    // A status write may have got further meanwhile; a report never takes that back.
    observedGeneration: observed > before.observedGeneration ? observed : before.observedGeneration,
    labels: patch(before.labels, report.labels),
    annotations: patch(before.annotations, report.annotations),
    finalizers: reportedFinalizers(before, report, command.session.finalizer),
  };
}

function reportedStatus({ statusJson }: Resource, report: PassReport): string | null {
  if (report.statusJson === undefined) return statusJson;
  return report.statusMode === "MERGE" ? mergePatch(statusJson, report.statusJson) : report.statusJson;
}

/**
 * SUCCESS over a deleting resource is the proof that nothing is left outside: the server's own hold goes with it. Only a
 * pass that saw the stored generation proves it: one that began before the deletion was requested has made things.
 */
function reportedFinalizers(before: Resource, report: PassReport, own: string): readonly string[] {
  const sawDeletion = before.deletionRequestedAt !== null && report.observedGeneration === before.generation;
  const isCleanedUp = report.result.type === "SUCCESS" && sawDeletion;
  checkNoFinalizerAdded(before, report.addFinalizers, "add_finalizers");
  const removed = isCleanedUp ? [...report.removeFinalizers, own] : report.removeFinalizers;
  return patchFinalizers(before.finalizers, report.addFinalizers, removed);
}

function patch(current: StringMap, changes: ReadonlyMap<string, string | null>): StringMap {
  if (changes.size === 0) return current;
  const next = new Map(current);
  for (const [key, value] of changes) {
    if (value === null) next.delete(key);
    else next.set(key, value);
  }
  return next;
}

function isSame(a: Resource, b: Resource): boolean {
  return (
    a.observedGeneration === b.observedGeneration &&
    sameList(a.finalizers, b.finalizers) &&
    sameEntries(a.labels, b.labels) &&
    sameEntries(a.annotations, b.annotations) &&
    sameJson(a.statusJson, b.statusJson)
  );
}
