import { expect, test } from "vitest";
import { TIMER_MAX_MS, timerMs } from "../../src/shared/timer-limit.js";

test.each<[number, number]>([
  [0, 0],
  [0.2, 1],
  [5_000, 5_000],
  [TIMER_MAX_MS, TIMER_MAX_MS],
  [TIMER_MAX_MS + 1, TIMER_MAX_MS],
  [Number.POSITIVE_INFINITY, TIMER_MAX_MS],
  [-1, 0],
  [Number.NEGATIVE_INFINITY, 0],
  [Number.NaN, 0],
])("a timer for %d ms is set to %d ms", (durationMs, delayMs) => {
  expect(timerMs(durationMs)).toBe(delayMs);
});

test("no timer is set for longer than Node can wait, which would fire after 1 ms", async () => {
  const fired = await new Promise((resolve) => {
    const long = setTimeout(() => resolve("the long one"), timerMs(2 ** 40));
    setTimeout(() => {
      clearTimeout(long);
      resolve("the short one");
    }, 20);
  });
  expect(fired).toBe("the short one");
});
