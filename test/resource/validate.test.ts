import { describe, expect, test } from "vitest";
import type { ResourceInput } from "../../src/resource/command.js";
import { hasReason } from "../../src/resource/errors.js";
import { RESOURCE_MAX_BYTES } from "../../src/resource/limits.js";
import {
  type StatusWrite,
  validateFilter,
  validateInput,
  validateKey,
  validatePrecondition,
  validateStatusWrite,
} from "../../src/resource/validate.js";

const key = { resourceGroup: "apps", kind: "Widget", namespace: "default", name: "a" };
const input: ResourceInput = {
  key,
  shardId: "s1",
  labels: new Map(),
  annotations: new Map(),
  finalizers: [],
  specJson: null,
};
const write: StatusWrite = {
  key,
  statusJson: null,
  observedGeneration: undefined,
  metadata: undefined,
  expected: {},
};
const smile = "😀";
const count = (n: number) => Array.from({ length: n }, (_, i) => `n${i}`);
const labels = (...entries: [string, string][]) => ({ labels: new Map(entries) });

describe("validateInput", () => {
  test.each<[string, Partial<ResourceInput>]>([
    ["the smallest resource", {}],
    ["names of 255 code points, emoji too", { key: { ...key, name: smile.repeat(255) }, shardId: "x".repeat(255) }],
    ["names with any printable character", { key: { ...key, name: "a/b %41:@+ я" } }],
    ["256 labels", { labels: new Map(count(256).map((name) => [name, ""])) }],
    ["a label of 255 emoji", labels([smile.repeat(255), smile.repeat(255)])],
    ["keys that are special to JavaScript", labels(["__proto__", "1"], ["constructor", "2"])],
    ["64 finalizers, some twice", { finalizers: [...count(63), "n0"] }],
    ["a resource of exactly 1 MiB", { specJson: `"${"x".repeat(RESOURCE_MAX_BYTES - 22)}"` }],
  ])("accepts %s", (_, part) => {
    expect(() => validateInput({ ...input, ...part })).not.toThrow();
  });

  test.each<[string, Partial<ResourceInput>, string]>([
    ["an empty name", { key: { ...key, name: "" } }, "name must not be empty"],
    ["an empty shard", { shardId: "" }, "shard_id must not be empty"],
    ["256 code points", { key: { ...key, kind: smile.repeat(256) } }, "kind must be at most 255 characters long"],
    [
      "NUL in a name",
      { key: { ...key, namespace: "a\0b" } },
      "namespace must not contain the NUL character; remove it",
    ],
    ["a lone surrogate in a name", { key: { ...key, resourceGroup: "\ud800" } }, "resource_group must be Unicode text"],
    ["an empty label key", labels(["", "x"]), 'labels[""] must have a key that is not empty'],
    ["= in a label key", labels(["a=b", "x"]), 'labels["a=b"] must not have "=" in its key; rename it'],
    ["= in a label value", labels(["a", "b=c"]), 'labels["a"] must not have "=" in its value (got "b=c")'],
    ["a long label value", labels(["a", "x".repeat(256)]), 'labels["a"] must be at most 255 characters long'],
    ["a lone surrogate in a label", labels(["a", "\udc00x"]), 'labels["a"] must be Unicode text'],
    [
      "257 labels",
      { labels: new Map(count(257).map((n) => [n, ""])) },
      "labels must have at most 256 entries (got 257)",
    ],
    ["NUL in an annotation", { annotations: new Map([["a", "\0"]]) }, 'annotations["a"] must not contain the NUL'],
    ["an empty finalizer", { finalizers: ["a", ""] }, "finalizers[1] must not be empty"],
    ["65 finalizers", { finalizers: count(65) }, "finalizers must have at most 64 entries (got 65)"],
    ["a number no double holds", { specJson: '{"a":[1e131071]}' }, "spec.a[0] must be within double range"],
    [
      "one byte over 1 MiB",
      { specJson: `"${"x".repeat(RESOURCE_MAX_BYTES - 21)}"` },
      "resource must be at most 1048576",
    ],
    ["1 MiB of emoji by bytes", { specJson: `"${smile.repeat(RESOURCE_MAX_BYTES / 4)}"` }, "resource must be at most"],
  ])("refuses %s", (_, part, message) => {
    expect(() => validateInput({ ...input, ...part })).toThrow(message);
  });

  test("tells a missing shard before too many labels and too large a spec", () => {
    const many = new Map(count(257).map((name) => [name, ""]));
    const large = { labels: many, specJson: `"${"x".repeat(2 ** 20)}"` };
    expect(() => validateInput({ ...input, ...large, shardId: "" })).toThrow("shard_id must not be empty");
    const metadata = { shardId: "", labels: many, annotations: new Map(), finalizers: [] };
    expect(() => validateStatusWrite({ ...write, metadata })).toThrow("shard_id must not be empty");
  });

  test("says which limit by its reason", () => {
    const reasonOf = (part: Partial<ResourceInput>) => {
      try {
        validateInput({ ...input, ...part });
      } catch (error) {
        if (hasReason(error, "PAYLOAD_TOO_LARGE", "INVALID_JSON", "INVALID_FIELD")) return [error.reason, error.field];
      }
      return [];
    };
    expect(reasonOf({ specJson: `"${"x".repeat(2 ** 21)}"` })).toEqual(["PAYLOAD_TOO_LARGE", "resource"]);
    expect(reasonOf({ specJson: "{" })).toEqual(["INVALID_JSON", "spec"]);
    expect(reasonOf(labels(["a=b", ""]))).toEqual(["INVALID_FIELD", 'labels["a=b"]']);
  });
});

describe("validateStatusWrite", () => {
  test("checks key, status, metadata and observed generation", () => {
    const metadata = { shardId: "", labels: new Map(), annotations: new Map(), finalizers: [] };
    expect(() => validateStatusWrite({ ...write, statusJson: '{"ok":true}', observedGeneration: 0n })).not.toThrow();
    expect(() => validateStatusWrite({ ...write, statusJson: "[1e999]" })).toThrow(
      "status[0] must be within double range",
    );
    expect(() => validateStatusWrite({ ...write, metadata })).toThrow("shard_id must not be empty");
    expect(() => validateStatusWrite({ ...write, observedGeneration: -1n })).toThrow(
      "observed_generation must not be negative (got -1)",
    );
  });
});

describe("the other checks", () => {
  test("validateKey names the part", () => {
    expect(() => validateKey({ ...key, kind: "" })).toThrow("kind must not be empty");
  });

  test("validateFilter refuses what PostgreSQL cannot compare and lets long texts match nothing", () => {
    expect(() => validateFilter({})).not.toThrow();
    expect(() => validateFilter({ name: "x".repeat(1000) })).not.toThrow();
    expect(() => validateFilter({ shardId: "\0" })).toThrow("shard_id must not contain the NUL character");
  });

  test("validatePrecondition refuses a uid too long to repeat", () => {
    expect(() => validatePrecondition({ revision: -1n, uid: "u" })).not.toThrow();
    expect(() => validatePrecondition({ uid: "u".repeat(256) })).toThrow("expected_uid must be at most 255 characters");
  });
});
