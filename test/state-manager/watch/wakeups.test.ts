import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Wakeups } from "../../../src/state-manager/watch/wakeups.js";

describe("Wakeups", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it("wakes at once after a quiet time, and then at most once per interval", () => {
    const wakeups = new Wakeups(5);
    let woken = 0;
    const wake = () => {
      woken += 1;
      wakeups.add(wake);
    };
    wakeups.add(wake);
    wakeups.notify();
    expect(woken).toBe(1);
    for (let i = 0; i < 100; i++) wakeups.notify();
    expect(woken).toBe(1);
    vi.advanceTimersByTime(5);
    expect(woken).toBe(2);
    vi.advanceTimersByTime(100);
    wakeups.notify();
    expect(woken).toBe(3);
  });

  it("wakes once for each time it was asked to, however often it was added", () => {
    const wakeups = new Wakeups(5);
    const wake = vi.fn();
    wakeups.add(wake);
    wakeups.add(wake);
    wakeups.wakeAll();
    wakeups.wakeAll();
    expect(wake).toHaveBeenCalledTimes(1);
  });

  it("does not wake who was removed", () => {
    const wakeups = new Wakeups(5);
    const wake = vi.fn();
    wakeups.add(wake);
    wakeups.remove(wake);
    wakeups.wakeAll();
    expect(wake).not.toHaveBeenCalled();
  });
});
