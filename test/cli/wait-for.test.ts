import { describe, expect, it } from "vitest";
import { conditionGoal, READY } from "../../src/cli/wait-for.js";
import type { ClientResource } from "../../src/client/index.js";

/** A resource of generation 2, of which the reconciler finished `observed`, with one condition of `conditionGeneration`. */
function resource(observed: bigint, conditionGeneration: number | undefined, status = "True"): ClientResource {
  const condition = { type: "Ready", status, reason: "R", message: "", observedGeneration: conditionGeneration };
  const stored = { generation: 2n, observedGeneration: observed, status: { conditions: [condition] } };
  return stored as unknown as ClientResource; // nothing else is looked at
}

describe("waiting for a condition", () => {
  const isReady = conditionGoal("Ready", "True").isReached;

  it("is not satisfied by the condition of the generation before", () => {
    expect(isReady(resource(1n, 1))).toBe(false);
    expect(READY.isReached(resource(1n, 1))).toBe(false);
    expect(isReady(resource(1n, undefined))).toBe(false);
    expect(conditionGoal("Ready", "False").isReached(resource(1n, 1, "False"))).toBe(false);
  });

  it("is satisfied once the generation is finished, or a pass over it has set the condition", () => {
    expect(isReady(resource(2n, 2))).toBe(true);
    expect(isReady(resource(2n, 1))).toBe(true);
    expect(isReady(resource(2n, undefined))).toBe(true);
    expect(READY.isReached(resource(2n, 2))).toBe(true);
    // A pass that failed finished nothing, and says so of this generation.
    expect(conditionGoal("Ready", "False").isReached(resource(1n, 2, "False"))).toBe(true);
  });

  it("is not satisfied by another status, another type, or nothing", () => {
    expect(isReady(resource(2n, 2, "False"))).toBe(false);
    expect(conditionGoal("Synced", "True").isReached(resource(2n, 2))).toBe(false);
    expect(isReady(undefined)).toBe(false);
  });
});
