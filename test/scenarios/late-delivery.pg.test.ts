import { describe, expect, it } from "vitest";
import { deliverLate } from "../support/checker/late-delivery.js";
import { World } from "../support/world.js";

describe("a write whose message to PostgreSQL arrives after its replica has given it up", { timeout: 90_000 }, () => {
  it.each([
    { verb: "create", statement: "insert-created", messages: "one message" },
    { verb: "update", statement: "insert-events", messages: "two messages" },
  ] as const)("is not stored once it was refused: $verb, $messages (I10)", async ({ verb, statement }) => {
    const world = await World.open({ replicas: 1, proxied: true });
    const { outcome, violations } = await deliverLate(world, { verb, statement, network: "cut" });
    expect(violations, `the client was told ${JSON.stringify(outcome)}`).toEqual([]);
  });
});
