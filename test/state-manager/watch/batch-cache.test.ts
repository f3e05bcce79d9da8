import { describe, expect, it } from "vitest";
import { ORIGIN, type Position } from "../../../src/resource/change.js";
import { BatchCache } from "../../../src/state-manager/watch/batch-cache.js";
import { ResumeTokens } from "../../../src/state-manager/watch/resume-token.js";
import { RingBuffer } from "../../../src/state-manager/watch/ring-buffer.js";
import { TestHistory } from "../../support/changes.js";

function makeCache(logCount = 1) {
  const histories = Array.from({ length: logCount }, (_, log) => new TestHistory(log));
  const logs = histories.map(() => new RingBuffer(ORIGIN, { maxEvents: 10_000, maxBytes: 1e9 }));
  const source = { logs, version: 0 };
  const tokens = new ResumeTokens({ storeId: "0190c6f0-1111-7222-8333-444455556666", logCount });
  const cache = new BatchCache(source, tokens);
  const append = (log: number, count: number, specJson = "1") => {
    for (const change of histories[log]?.appendMany(count, { type: "ADDED", resource: { specJson } }) ?? [])
      logs[log]?.append(change);
    source.version += 1;
  };
  const start: readonly Position[] = logs.map(() => ORIGIN);
  return { cache, tokens, append, start, startToken: tokens.encode(start), histories };
}

describe("BatchCache", () => {
  it("gives the watchers of one filter the same batch, those of another their own", () => {
    const { cache, append, start, startToken } = makeCache();
    const [one, same, other] = [
      cache.join({ kind: "Widget" }),
      cache.join({ kind: "Widget" }),
      cache.join({ kind: "Gadget" }),
    ];
    expect(one.next(start, startToken)).toBeUndefined();
    append(0, 3);
    const step = one.next(start, startToken);
    expect(step?.batch.events).toHaveLength(3);
    expect(same.next(start, startToken)).toBe(step);
    expect(other.next(start, startToken)?.batch.events).toHaveLength(0);
  });

  it("does not cut what has come since into the batches others got", () => {
    const { cache, append, start, startToken } = makeCache();
    const group = cache.join({});
    for (let i = 0; i < 10; i++) {
      append(0, 1);
      expect(group.next(start, startToken)?.batch.events).toHaveLength(i + 1);
    }
  });

  it("limits batches to 256 events and about 1 MiB (I9)", () => {
    const { cache, append, start, startToken } = makeCache();
    append(0, 600);
    const group = cache.join({});
    const sizes: number[] = [];
    let step = group.next(start, startToken);
    for (; step !== undefined; step = group.next(step.step.positions, step.batch.resumeToken))
      sizes.push(step.batch.events.length);
    expect(sizes).toEqual([256, 256, 88]);

    const large = makeCache();
    large.append(0, 5, "x".repeat(400_000));
    expect(large.cache.join({}).next(large.start, large.startToken)?.batch.events).toHaveLength(2);
  });

  it("lets no log starve the others, whether the filter matches or not", () => {
    for (const kind of ["Widget", "Gadget"]) {
      const { cache, append, start, startToken, histories } = makeCache(3);
      append(0, 3_000);
      append(2, 5);
      const step = cache.join({ kind }).next(start, startToken);
      expect(step?.step.positions[2]).toEqual(histories[2]?.head);
      expect(step?.step.scanned).toBe(kind === "Widget" ? 256 : 1_024);
    }
  });

  it("forgets its oldest steps when they take too much memory, and computes them again (W6)", () => {
    const { cache, append, start, startToken } = makeCache();
    const group = cache.join({});
    append(0, 100, "x".repeat(600_000));
    const first = group.next(start, startToken);
    let step = first;
    for (let i = 0; i < 99 && step !== undefined; i++) step = group.next(step.step.positions, step.batch.resumeToken);
    const again = group.next(start, startToken);
    expect(again).not.toBe(first);
    expect(again?.batch).toEqual(first?.batch);
  });

  it("forgets a filter with its last watcher", () => {
    const { cache, append, start, startToken } = makeCache();
    append(0, 1);
    const [one, two] = [cache.join({}), cache.join({})];
    const step = one.next(start, startToken);
    one.leave();
    expect(two.next(start, startToken)).toBe(step);
    two.leave();
    expect(cache.join({}).next(start, startToken)).not.toBe(step);
  });
});
