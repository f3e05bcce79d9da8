import { expect, it } from "vitest";
import { answersWithin } from "../../../examples/process/port.js";
import { freePort } from "../../../src/shared/free-port.js";

it("does not go on waiting for a process that has ended", async () => {
  let looks = 0;
  const before = performance.now();
  expect(await answersWithin(await freePort(), 60_000, () => ++looks < 3)).toBe(false);
  expect(performance.now() - before).toBeLessThan(10_000);
});
