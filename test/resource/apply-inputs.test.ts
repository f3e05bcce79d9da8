import { describe, expect, test } from "vitest";
import { checkCount, checkDistinct, errorAt, validateInputAt } from "../../src/resource/apply-inputs.js";
import { DomainError } from "../../src/resource/errors.js";
import { thing } from "../support/things.js";

function refusalOf(check: () => void): { message: string; field: string } | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { message: error.message, field: error.field };
  }
}

describe("many resources to apply", () => {
  test("are at least one and at most 10,000", () => {
    expect(refusalOf(() => checkCount(0))?.message).toBe("resources must have at least one entry");
    expect(refusalOf(() => checkCount(10_000))).toBeUndefined();
    expect(refusalOf(() => checkCount(10_001))).toEqual({
      message: "resources must have at most 10000 entries (got 10001); make several calls",
      field: "resources",
    });
  });

  test.each([
    ["resources[17].key.name must not be empty", "resources[17].key.name", thing("")],
    ["resources[17].shard_id must not be empty", "resources[17].shard_id", thing("a", { shardId: "" })],
    [
      'resources[17].labels["a"] must not have "=" in its value (got "b=c")',
      'resources[17].labels["a"]',
      thing("a", { labels: new Map([["a", "b=c"]]) }),
    ],
    [
      "resources[17].spec must be valid JSON: unexpected end at character 2",
      "resources[17].spec",
      thing("a", { specJson: "{" }),
    ],
    [
      "resources[17].owner.name must not be empty",
      "resources[17].owner.name",
      thing("a", { owner: { resourceGroup: "g", kind: "k", name: "", uid: "" } }),
    ],
  ])("are refused with the words %j", (message, field, input) => {
    expect(refusalOf(() => validateInputAt(17, input))).toEqual({ message, field });
  });

  test("are refused by their place alone when one is too large", () => {
    const refusal = refusalOf(() => validateInputAt(3, thing("a", { specJson: `"${"x".repeat(1 << 20)}"` })));
    expect(refusal?.message).toMatch(/^resources\[3\] must be at most 1048576 bytes/);
    expect(refusal?.field).toBe("resources[3]");
  });

  test("must have different keys", () => {
    const inputs = [thing("a"), thing("b"), thing("c"), thing("b", { shardId: "s2" })];
    expect(refusalOf(() => checkDistinct(inputs))).toEqual({
      message: "resources[3].key must not be the key of resources[1] too (got test/thing default/b twice); remove one",
      field: "resources[3].key",
    });
    expect(refusalOf(() => checkDistinct(inputs.slice(0, 3)))).toBeUndefined();
  });
});

describe("what went wrong with one of them", () => {
  test("keeps its code and reason, and what it came from", () => {
    const error = new DomainError("FAILED_PRECONDITION", "OWNER_NOT_FOUND", "owner a/b c/d does not exist", {
      field: "owner",
    });
    expect(errorAt(2, error)).toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "OWNER_NOT_FOUND",
      message: "resources[2].owner a/b c/d does not exist",
      field: "resources[2].owner",
      cause: error,
    });
  });

  test("has its place before words that name no field", () => {
    expect(errorAt(2, new DomainError("ABORTED", "UID_CONFLICT", "somebody else has it"))).toMatchObject({
      message: "resources[2]: somebody else has it",
      field: "",
    });
  });

  test("is left alone when nobody foresaw it", () => {
    const error = new Error("a bug");
    expect(errorAt(2, error)).toBe(error);
  });
});
