import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Position } from "../../../src/resource/change.js";
import { Wakeups } from "../../../src/state-manager/watch/wakeups.js";
import { TestHistory } from "../../support/changes.js";

const key = (name: string) => ({ resourceGroup: "apps", kind: "Widget", namespace: "default", name });

describe("Wakeups", () => {
  let history: TestHistory;
  let heads: readonly Position[];
  let woken: number[];
  let wakeups: Wakeups;

  beforeEach(() => {
    vi.useFakeTimers();
    history = new TestHistory();
    history.append();
    heads = [history.head];
    woken = [];
    wakeups = new Wakeups({ spacingMs: 5, heads: () => heads, onWake: (watches) => woken.push(watches) });
  });
  afterEach(() => void vi.useRealTimers());

  /** As a tail does: marks, then moves on. */
  function append(name: string): void {
    wakeups.mark(history.append({ resource: { key: key(name) } }));
    heads = [history.head];
  }

  it("wakes at once after a quiet time, and then at most once per interval", () => {
    const onNews = vi.fn(() => wait.forMatch());
    const wait = wakeups.join({}, onNews);
    wait.forMatch();
    for (let i = 0; i < 100; i++) {
      append("a");
      wakeups.notify();
    }
    expect(onNews).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(5);
    expect(onNews).toHaveBeenCalledTimes(2);
    vi.advanceTimersByTime(100);
    append("a");
    wakeups.notify();
    expect(onNews).toHaveBeenCalledTimes(3);
  });

  it("wakes only whom a change concerns, each with the positions right before it", () => {
    const onNews = vi.fn();
    const waits = Array.from({ length: 1_000 }, (_, i) =>
      wakeups.join({ name: `n${i}` }, (positions) => onNews(i, positions)),
    );
    for (const wait of waits) wait.forMatch();
    append("other");
    const before = heads;
    append("n7");
    append("n7");
    wakeups.notify();
    expect(onNews.mock.calls).toEqual([[7, before]]);
    expect(woken).toEqual([1]);
  });

  it("wakes whoever waits for any news at any, without positions", () => {
    const onNews = vi.fn();
    wakeups.join({ name: "a" }, onNews).forAny();
    append("b");
    wakeups.notify();
    expect(onNews.mock.calls).toEqual([[undefined]]);
  });

  it("a wait that is stopped has reached the heads, or the change that concerns it, and is not woken", () => {
    const onNews = vi.fn();
    const [quiet, concerned, any] = [{ name: "a" }, { name: "b" }, {}].map((filter) => wakeups.join(filter, onNews));
    quiet?.forMatch();
    concerned?.forMatch();
    any?.forAny();
    const before = heads;
    append("b");
    append("c");
    expect(quiet?.stop()).toEqual(heads);
    expect(concerned?.stop()).toEqual(before);
    expect(any?.stop()).toBeUndefined();
    expect(quiet?.stop()).toBeUndefined();
    wakeups.notify();
    vi.advanceTimersByTime(10);
    expect(onNews).not.toHaveBeenCalled();
  });

  it("a watch that begins to wait before the others of its filter are woken is not woken with them", () => {
    const onNews = vi.fn();
    const [first, second] = ["first", "second"].map((who) =>
      wakeups.join({ name: "a" }, (positions) => onNews(who, positions)),
    );
    first?.forMatch();
    const before = heads;
    append("a");
    second?.forMatch();
    wakeups.notify();
    expect(onNews.mock.calls).toEqual([["first", before]]);
    const between = heads;
    append("a");
    wakeups.notify();
    vi.advanceTimersByTime(5);
    expect(onNews.mock.calls[1]).toEqual(["second", between]);
  });

  it("wakes all before a head is replaced", () => {
    const onNews = vi.fn();
    wakeups.join({ name: "a" }, onNews).forMatch();
    wakeups.join({}, onNews).forAny();
    const before = heads;
    wakeups.markAll();
    heads = [{ revision: 900n, fingerprint: 1n }];
    wakeups.notify();
    expect(onNews.mock.calls).toEqual([[before], [undefined]]);
  });

  it("forgets a watch that leaves", () => {
    const onNews = vi.fn();
    const [one, other] = [wakeups.join({ name: "a" }, onNews), wakeups.join({ name: "a" }, onNews)];
    one.forMatch();
    one.leave();
    append("a");
    wakeups.notify();
    other.forMatch();
    append("a");
    other.leave();
    wakeups.notify();
    vi.advanceTimersByTime(10);
    expect(onNews).not.toHaveBeenCalled();
  });
});
