import type { Command, Outcome } from "./command.js";
import type { Decision, KeyState } from "./decide.js";
import { DomainError } from "./errors.js";
import { describeKey } from "./key.js";
import { requireExisting } from "./preconditions.js";
import { endByPass, type QuarantineEnd, showQuarantine, showQuarantineEnd } from "./quarantine.js";
import type { Resource } from "./resource.js";

/** What a command about a quarantine makes of the resource. */
interface QuarantineWrite {
  readonly outcome: Outcome;
  readonly after: Resource | undefined;
  readonly answer: Resource | undefined;
}

/** Decides what the start of a quarantine writes; its end writes through `withQuarantineEnd`, whoever ends it. */
export function decideQuarantine(
  { resource, item }: KeyState,
  command: Extract<Command, { type: "show-quarantine" | "release-quarantine" }>,
  now: Date,
): QuarantineWrite {
  const isQuarantined = item !== undefined && item.quarantinedAt !== null && item.resourceId === resource?.id;
  if (command.type === "release-quarantine") {
    const current = requireExisting(resource, command.key);
    if (!isQuarantined) {
      throw new DomainError(
        "FAILED_PRECONDITION",
        "NOT_QUARANTINED",
        `${describeKey(current.key)} is not quarantined; GetWork tells what it waits for`,
      );
    }
    return unchanged(current);
  }
  if (resource === undefined || !isQuarantined || item.isQuarantineShown) return unchanged(resource);
  const after = showQuarantine(resource, item, now);
  return after === resource ? unchanged(resource) : written(resource, after, now);
}

/**
 * A decision that ends a quarantine takes its condition back in the same write, so that the resource never tells of one that
 * is over.
 */
export function withQuarantineEnd(before: KeyState, command: Command, decision: Decision, now: Date): Decision {
  const { resource, item } = decision;
  const isOver = before.item?.quarantinedAt != null && (item === undefined || item.quarantinedAt === null);
  if (!isOver || resource === undefined || resource.id !== before.resource?.id) return decision;
  const shown = showQuarantineEnd(resource, endReason(command), now);
  if (shown === resource) return decision;
  // One write of a resource counts once.
  const after = resource === before.resource ? touched(resource, shown, now) : shown;
  return {
    outcome: decision.outcome === "UNCHANGED" ? "UPDATED" : decision.outcome,
    resource: after,
    answer: after,
    item,
  };
}

function endReason(command: Command): QuarantineEnd {
  switch (command.type) {
    case "release-quarantine":
      return "Released";
    case "report":
      return endByPass(command.report.result);
    case "update-status":
      // Whoever wrote the status did the pass.
      return "PassSucceeded";
    default:
      return "NewGeneration";
  }
}

function unchanged(resource: Resource | undefined): QuarantineWrite {
  return { outcome: "UNCHANGED", after: resource, answer: resource };
}

function written(before: Resource, changed: Resource, now: Date): QuarantineWrite {
  const after = touched(before, changed, now);
  return { outcome: "UPDATED", after, answer: after };
}

function touched(before: Resource, changed: Resource, now: Date): Resource {
  return { ...changed, writeCount: before.writeCount + 1n, updatedAt: now };
}
