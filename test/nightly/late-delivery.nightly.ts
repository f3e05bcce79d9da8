import { describe, expect, it } from "vitest";
import { deliverLate } from "../support/checker/late-delivery.js";
import { World } from "../support/world.js";

describe("a write whose message to PostgreSQL arrives after its replica has given it up", () => {
  it.for([
    { verb: "create", statement: "insert-created", network: "cut" },
    { verb: "create", statement: "insert-created", network: "silent" },
    { verb: "update", statement: "insert-events", network: "silent" },
  ] as const)("is not stored once it was refused: $verb, the network is $network", async (late, { task }) => {
    const world = await World.open({ replicas: 1, proxied: true });
    const { outcome, operations, violations } = await deliverLate(world, late);
    task.meta.operations = operations;
    expect(violations, `the client was told ${JSON.stringify(outcome)}`).toEqual([]);
  });
});
