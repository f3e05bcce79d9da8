import { describe, expect, it } from "vitest";
import { ORIGIN } from "../../../src/resource/change.js";
import { changeSize } from "../../../src/state-manager/log/change-size.js";
import { RingBuffer } from "../../../src/state-manager/watch/ring-buffer.js";
import { TestHistory } from "../../support/changes.js";

const LIMITS = { maxEvents: 4, maxBytes: 1_000_000 };

function filledRing(count: number, limits = LIMITS): { ring: RingBuffer; history: TestHistory } {
  const history = new TestHistory();
  const ring = new RingBuffer(ORIGIN, limits);
  for (const change of history.appendMany(count)) ring.append(change);
  return { ring, history };
}

describe("RingBuffer", () => {
  it("returns the changes after a position, up to the limit", () => {
    const { ring, history } = filledRing(3);
    expect(ring.read(ORIGIN, 10)).toEqual({ type: "changes", changes: history.changes });
    expect(ring.read(history.positionAt(1), 1)).toEqual({ type: "changes", changes: [history.changes[1]] });
    expect(ring.read(history.head, 10)).toEqual({ type: "end" });
  });

  it("keeps the newest changes when it is full and says that older positions are missing", () => {
    const { ring, history } = filledRing(11);
    expect(ring.read(history.positionAt(7), 10)).toEqual({ type: "changes", changes: history.changes.slice(7) });
    expect(ring.read(history.positionAt(6), 10)).toEqual({ type: "missing" });
    expect(ring.head).toEqual(history.head);
  });

  it("stays within its bytes, but always keeps the newest change (I9, W6)", () => {
    const history = new TestHistory();
    const size = changeSize(history.append());
    const ring = new RingBuffer(history.head, { maxEvents: 100, maxBytes: 3 * size });
    for (const change of history.appendMany(5)) ring.append(change);
    expect(ring.read(history.positionAt(3), 10)).toMatchObject({ changes: history.changes.slice(3) });
    expect(ring.read(history.positionAt(2), 10)).toEqual({ type: "missing" });

    ring.append(history.append({ resource: { specJson: `"${"x".repeat(10 * size)}"` } }));
    expect(ring.read(history.positionAt(6), 10)).toMatchObject({ changes: history.changes.slice(6) });
    expect(ring.read(history.positionAt(5), 10)).toEqual({ type: "missing" });
  });

  it("does not serve a position of another lineage (W3, I4)", () => {
    const { ring, history } = filledRing(4);
    const fork = history.forkAt(2);
    fork.appendMany(2);
    expect(ring.read(fork.positionAt(2), 10)).toMatchObject({ type: "changes" });
    expect(ring.read(fork.positionAt(3), 10)).toEqual({ type: "missing" });
    expect(ring.read(fork.positionAt(4), 10)).toEqual({ type: "missing" });
  });

  it("says that a position beyond its head is ahead", () => {
    const { ring, history } = filledRing(2);
    history.append();
    expect(ring.read(history.head, 10)).toEqual({ type: "ahead" });
  });

  it("refuses a change that does not follow (W2)", () => {
    const { ring, history } = filledRing(2);
    const fork = history.forkAt(1);
    fork.append();
    expect(() => ring.append(fork.append())).toThrow("does not follow");
    history.append();
    expect(() => ring.append(history.append())).toThrow("does not follow");
  });

  it("knows the fingerprints of what it holds and of its head", () => {
    const { ring, history } = filledRing(6);
    expect(ring.fingerprintAt(6n)).toBe(history.changes[5]?.fingerprint);
    expect(ring.fingerprintAt(3n)).toBe(history.changes[2]?.fingerprint);
    expect(ring.fingerprintAt(2n)).toBeUndefined();
    expect(ring.fingerprintAt(7n)).toBeUndefined();
  });

  it("starts again at another head", () => {
    const { ring, history } = filledRing(3);
    const fork = history.forkAt(2);
    fork.append();
    ring.reset(fork.head);
    expect(ring.read(fork.head, 10)).toEqual({ type: "end" });
    expect(ring.read(history.head, 10)).toEqual({ type: "missing" });
    const next = fork.append();
    ring.append(next);
    expect(ring.read(fork.positionAt(3), 10)).toEqual({ type: "changes", changes: [next] });
  });
});
