import { conditionStatus, setConditions } from "./conditions.js";
import { isInvalid } from "./errors.js";
import { checkFits } from "./limits.js";
import type { Resource } from "./resource.js";
import type { ConditionUpdate, PassResult, WorkItem, WorkReason } from "./work.js";

/** Workers in a row that may die over one resource while it is all they hold; the last of them makes it quarantined. */
export const STRIKES_MAX = 5;

/** How often a quarantined resource is tried, in minutes: each try may cost a worker. */
export const QUARANTINE_RETRY_MINUTES = 10;

/** What a work item keeps of workers that died over it. */
type Record = Pick<WorkItem, "deaths" | "strikes" | "quarantinedAt" | "isQuarantineShown">;

/** Nothing is known against the resource. */
export const CLEAN: Record = { deaths: 0, strikes: 0, quarantinedAt: null, isQuarantineShown: false };

/** Whether a wish for a pass makes what is known against the resource void: what workers died over is not wanted any more. */
export function clearsStrikes(reason: WorkReason): boolean {
  switch (reason) {
    case "CREATED":
    case "SPEC_CHANGED":
    case "DELETION_REQUESTED":
    case "RELEASED":
      return true;
    default:
      return false;
  }
}

/** Why a quarantine ended: the reason of its condition, which is False from then on. */
export type QuarantineEnd = "NewGeneration" | "Released" | "PassSucceeded" | "PassFinished";

/** How the end of a pass ends the quarantine: its worker lives, so it is over whatever the result. */
export function endByPass(result: PassResult): QuarantineEnd {
  return result.type === "SUCCESS" ? "PassSucceeded" : "PassFinished";
}

const TYPE = "Quarantined";

/** The resource with the condition that tells of the quarantine of `item`; the same object when it cannot or does tell. */
export function showQuarantine(resource: Resource, item: WorkItem, now: Date): Resource {
  const message =
    `${item.strikes} workers in a row died while this resource was all they held. Last: ${item.lastError}. ` +
    `It is tried only every ${QUARANTINE_RETRY_MINUTES} minutes. Repair its spec or its reconciler; ` +
    "a new spec ends this, or ReleaseQuarantine (POST …/release) does";
  return withCondition(resource, { type: TYPE, status: "True", reason: "WorkersDied", message }, now);
}

/** The resource with that condition taken back; the same object when its status does not show it. */
export function showQuarantineEnd(resource: Resource, reason: QuarantineEnd, now: Date): Resource {
  const shown = conditionStatus(resource.statusJson, TYPE);
  if (shown === undefined || shown === "False") return resource;
  const message = MESSAGES[reason];
  return withCondition(resource, { type: TYPE, status: "False", reason, message }, now);
}

const MESSAGES: Readonly<{ [end in QuarantineEnd]: string }> = {
  NewGeneration: "the desired state is new",
  Released: "it was released",
  PassSucceeded: "a pass succeeded",
  PassFinished: "a worker survived a pass",
};

/** A status with no place for a condition, or no room, is left alone: the quarantine counts without being shown. */
function withCondition(resource: Resource, condition: ConditionUpdate, now: Date): Resource {
  try {
    const statusJson = setConditions(resource.statusJson, [condition], resource.observedGeneration, now);
    if (statusJson === resource.statusJson) return resource;
    const next = { ...resource, statusJson };
    checkFits(next);
    return next;
  } catch (error) {
    if (isInvalid(error)) return resource;
    throw error;
  }
}
