import type { Condition } from "./conditions.js";

/** The condition that says of the whole how it is. */
export const READY = "Ready";

/**
 * What Ready is after a pass that did not fail: True when all conditions of these types are, False when one is False, and
 * else Unknown. It says what the first one to blame says, so that the same conditions always give the same Ready.
 */
export function aggregateReady(
  types: readonly string[],
  conditionOf: (type: string) => Condition | undefined,
): Condition {
  const conditions = types.map((type) => conditionOf(type) ?? notSet(type));
  const blamed =
    conditions.find(({ status }) => status === "False") ?? conditions.find(({ status }) => status !== "True");
  if (blamed === undefined) return { type: READY, status: "True", reason: "Reconciled", message: "" };
  const status = blamed.status === "False" ? "False" : "Unknown";
  const message = blamed.message === "" ? blamed.type : `${blamed.type}: ${blamed.message}`;
  return {
    type: READY,
    status,
    reason: blamed.reason || "NotReady",
    message: message.slice(0, MESSAGE_MAX_CHARACTERS),
  };
}

/** What Ready is after a pass that failed. */
export function notReadyAfter(error: string): Condition {
  return { type: READY, status: "False", reason: "ReconcileFailed", message: error };
}

/** What a condition of an earlier generation says about the one that is not finished yet. */
export function outdated(type: string, generation: number): Condition {
  return { type, status: "Unknown", reason: "Outdated", message: `it tells of generation ${generation}` };
}

/** The server's limit of a condition's message. */
const MESSAGE_MAX_CHARACTERS = 4_096;

function notSet(type: string): Condition {
  return { type, status: "Unknown", reason: "NotSet", message: "no pass has set it yet" };
}
