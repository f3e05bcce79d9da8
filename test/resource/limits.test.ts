import { describe, expect, test } from "vitest";
import { checkFits, RESOURCE_MAX_BYTES } from "../../src/resource/limits.js";

describe("checkFits", () => {
  const small = {
    key: { resourceGroup: "g", kind: "k", namespace: "n", name: "é" },
    shardId: "s",
    labels: new Map([["l", "v"]]),
    annotations: new Map([["a", "w"]]),
    finalizers: ["f"],
    specJson: "1",
    statusJson: null,
  };
  const bytes = 12;

  test("counts UTF-8 bytes of names, metadata, spec and status together", () => {
    const fill = (length: number) => ({ ...small, statusJson: "1".repeat(length) });
    expect(() => checkFits(fill(RESOURCE_MAX_BYTES - bytes))).not.toThrow();
    expect(() => checkFits(fill(RESOURCE_MAX_BYTES - bytes + 1))).toThrow(
      "resource must be at most 1048576 bytes with metadata, spec and status (got 1048577)",
    );
  });

  test("names the collection that has too many entries", () => {
    const many = new Map(Array.from({ length: 257 }, (_, i) => [`k${i}`, ""]));
    expect(() => checkFits({ ...small, annotations: many })).toThrow(
      "annotations must have at most 256 entries (got 257)",
    );
  });
});
