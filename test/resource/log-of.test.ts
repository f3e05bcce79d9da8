import { describe, expect, test } from "vitest";
import { logOf } from "../../src/resource/log-of.js";

/** Published FNV-1a 32 vectors (draft-eastlake-fnv), and one beyond ASCII computed from the UTF-8 bytes. */
const vectors: readonly [string, number][] = [
  ["", 0x811c9dc5],
  ["a", 0xe40c292c],
  ["b", 0xe70c2de5],
  ["foobar", 0xbf9cf968],
];

describe("logOf", () => {
  test.each(vectors)("places %j by the published hash", (text, hash) => {
    for (const logCount of [2, 3, 7, 64]) expect(logOf(text, logCount)).toBe(hash % logCount);
  });

  test("hashes UTF-8 bytes, not UTF-16 units", () => {
    const bytes = [0xc3, 0xa9];
    let hash = 0x811c9dc5n;
    for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn;
    expect(logOf("é", 64)).toBe(Number(hash % 64n));
  });

  test("has one log by default and uses every log of many", () => {
    expect(logOf("anything", 1)).toBe(0);
    const used = new Set(Array.from({ length: 500 }, (_, i) => logOf(`shard-${i}`, 16)));
    expect(used.size).toBe(16);
  });
});
