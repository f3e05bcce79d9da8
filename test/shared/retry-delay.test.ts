import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RetryDelay } from "../../src/shared/retry-delay.js";

describe("RetryDelay", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  async function duration(delay: RetryDelay): Promise<number> {
    const startedAt = Date.now();
    const done = delay.wait();
    await vi.runAllTimersAsync();
    await done;
    return Date.now() - startedAt;
  }

  it("doubles up to its maximum, jitter shortening by a fifth at most", async () => {
    const delay = new RetryDelay(100, 1_000);
    for (const ms of [100, 200, 400, 800, 1_000, 1_000]) {
      const waited = await duration(delay);
      expect(waited).toBeGreaterThanOrEqual(ms * 0.8 - 1);
      expect(waited).toBeLessThanOrEqual(ms);
    }
    delay.reset();
    expect(await duration(delay)).toBeLessThanOrEqual(100);
  });

  it("ends early when cut, and cutting nothing does nothing", async () => {
    const delay = new RetryDelay(1_000, 1_000);
    delay.cut();
    const done = delay.wait();
    delay.cut();
    await done;
    expect(vi.getTimerCount()).toBe(0);
  });
});
