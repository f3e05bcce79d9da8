import { keyText } from "../history.js";
import type { AuditRow } from "../lease-audit.js";
import { RECONCILED_KIND } from "./choices.js";
import { describeCall, type Operation } from "./operation.js";
import type { LogEvent } from "./versions.js";

/** Two programs read one clock. */
const CLOCK_MS = 20;

/**
 * Every accepted Enqueue is followed by a pass that began after it was called, unless the resource went away. To be asked when the queue is
 * empty. The audit's clock is the machine's, as ours.
 */
export function judgeEnqueues(
  operations: readonly Operation[],
  leases: readonly AuditRow[],
  events: readonly LogEvent[],
): readonly string[] {
  const taken = new Map<string, number>();
  for (const { name, change, at } of leases) {
    if (change === "taken") taken.set(keyText("load", RECONCILED_KIND, "default", name), at - performance.timeOrigin);
  }
  const last = new Map(events.map((event) => [event.key, event]));
  return operations.flatMap((operation) => {
    if (operation.type !== "enqueue" || operation.outcome.type !== "done") return [];
    if (!operation.key.startsWith(`load/${RECONCILED_KIND}/`)) return [];
    const isGone = last.get(operation.key)?.type === "DELETED";
    const isFollowed = (taken.get(operation.key) ?? 0) >= operation.invokedAt - CLOCK_MS;
    return isGone || isFollowed ? [] : [`${describeCall(operation)} was not followed by a pass`];
  });
}
