import type { ClientResource } from "../client/client-resource.js";
import type { ConditionStatus } from "./reconciler.js";

/** A condition as it is stored in `status.conditions`. */
export interface Condition {
  readonly type: string;
  readonly status: ConditionStatus;
  readonly reason: string;
  readonly message: string;
  /** The generation it was set for; a program that writes a status by itself may leave it out. */
  readonly observedGeneration?: number;
}

/** The condition of `type` in a resource's status, if there is one. */
export function findCondition(resource: ClientResource, type: string): Condition | undefined {
  return findConditionIn(resource.status, type);
}

/** The condition of `type` in a status, if there is one. */
export function findConditionIn(status: unknown, type: string): Condition | undefined {
  if (typeof status !== "object" || status === null || !("conditions" in status)) return undefined;
  const { conditions } = status;
  // Anybody may write a status, so what is found is checked as far as callers rely on it.
  return Array.isArray(conditions)
    ? conditions.find((condition: Condition | null) => condition?.type === type)
    : undefined;
}

/** Whether the reconciler has finished the stored desired state and says that it is Ready. */
export function isReady(resource: ClientResource): boolean {
  const isObserved = resource.observedGeneration === resource.generation;
  return isObserved && findCondition(resource, "Ready")?.status === "True";
}

/**
 * Whether the condition of `type` has that status and tells of the stored desired state: the reconciler has finished that, or set the
 * condition for it in a pass that failed or comes back. A condition of the generation before says nothing about this one.
 */
export function hasCondition(resource: ClientResource, type: string, status: ConditionStatus): boolean {
  const condition = findCondition(resource, type);
  if (condition?.status !== status) return false;
  const { generation, observedGeneration } = resource;
  return observedGeneration === generation || condition.observedGeneration === Number(generation);
}
