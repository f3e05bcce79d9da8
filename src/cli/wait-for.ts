import type { ClientResource, ResourceClient, ResourceKey, ResourceSelection } from "../client/index.js";
// Not by the index of that room: with it would come the whole control loop, and a command starts later.
import { findCondition, hasCondition, isReady } from "../controlloop/conditions.js";
import type { ConditionStatus } from "../controlloop/reconciler.js";
import { timerMs } from "../shared/timer-limit.js";
import { EXIT, Failure } from "./exit-codes.js";
import { nameOf } from "./name-of.js";

/** What can be waited for. Of a resource that is not there, `undefined` is asked. */
export interface Goal {
  /** For people: `website/blog` … `is ready`. */
  readonly words: string;
  readonly isReached: (resource: ClientResource | undefined) => boolean;
}

/** What is declared is so, and its reconciler says Ready. */
export const READY: Goal = { words: "ready", isReached: (resource) => resource !== undefined && isReady(resource) };
/** It is gone. */
export const DELETED: Goal = { words: "deleted", isReached: (resource) => resource === undefined };

/** The resource with that uid is gone; another one may have its name by now. */
export function deletedGoal(uid: string): Goal {
  return { words: "deleted", isReached: (resource) => resource?.uid !== uid };
}

/** Its condition of that type has that status, and tells of the stored generation. */
export function conditionGoal(type: string, status: ConditionStatus): Goal {
  return {
    words: `${type}=${status}`,
    isReached: (resource) => resource !== undefined && hasCondition(resource, type, status),
  };
}

/**
 * Resolves when the one resource that is selected is as the goal says. Fails at `deadline` (of performance.now) with the exit code
 * of a timeout, and says how it stood.
 */
export async function waitFor(
  client: ResourceClient,
  one: ResourceSelection & Pick<ResourceKey, "kind" | "name">,
  goal: Goal,
  options: { readonly deadline: number; readonly signal: AbortSignal },
): Promise<void> {
  const timeout = AbortSignal.timeout(timerMs(options.deadline - performance.now()));
  const signal = AbortSignal.any([timeout, options.signal]);
  let latest: ClientResource | undefined;
  let isComplete = false;
  for await (const { events } of client.watch(one, { sendInitialState: true, isSummary: true, signal })) {
    for (const event of events) {
      if (event.type === "SYNCED") isComplete = true;
      else if (event.type === "RESYNC") {
        isComplete = false;
        latest = undefined;
      } else if (event.type !== "DELETED") latest = event.resource;
      else if (event.movedTo === undefined) latest = undefined;
    }
    if (isComplete && goal.isReached(latest)) return;
  }
  throw new Failure(
    `${nameOf(one)} is not ${goal.words} in time: ${isComplete ? standing(latest) : "the server has not told yet how it is"}`,
    EXIT.timeout,
  );
}

function standing(resource: ClientResource | undefined): string {
  if (resource === undefined) return "there is no such resource";
  const { generation, observedGeneration, finalizers, deletionRequestedAt } = resource;
  if (deletionRequestedAt !== undefined) return `its deletion waits for ${finalizers.join(", ")}`;
  if (observedGeneration < generation) return `no reconciler has finished its generation ${generation} yet`;
  const ready = findCondition(resource, "Ready");
  return ready === undefined
    ? "it has no condition Ready"
    : `Ready is ${ready.status}: ${ready.message || ready.reason}`;
}
