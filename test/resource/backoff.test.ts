import { describe, expect, test } from "vitest";
import { backoffMs } from "../../src/resource/backoff.js";

describe("backoffMs", () => {
  test("doubles from the base up to the cap", () => {
    const delays = [1, 2, 3, 4, 18, 19, 20].map((failures) => backoffMs(failures, 5, 1_000_000, 0));
    expect(delays).toEqual([5, 10, 20, 40, 655_360, 1_000_000, 1_000_000]);
  });

  test("stays at the cap however many passes failed", () => {
    expect(backoffMs(2_000_000_000, 5, 1_000_000, 0)).toBe(1_000_000);
  });

  test("jitter shortens by less than a fifth, so every delay is longer than any before it", () => {
    expect(backoffMs(3, 1_000, 1_000_000, 0.5)).toBe(3_600);
    for (let failures = 1; failures < 17; failures++) {
      expect(backoffMs(failures + 1, 100, 1e9, 0.999_999)).toBeGreaterThan(backoffMs(failures, 100, 1e9, 0));
    }
  });

  test("is never shorter than a millisecond", () => {
    expect(backoffMs(1, 1, 1, 0.999_999)).toBe(1);
  });
});
