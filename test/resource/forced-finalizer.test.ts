import { describe, expect, it } from "vitest";
import { hasReason } from "../../src/resource/errors.js";
import { FORCED_FINALIZERS_ANNOTATION as RECORD, withoutForced } from "../../src/resource/forced-finalizer.js";
import { makeResource } from "../support/changes.js";

const now = new Date("2026-01-02T03:04:05.678Z");

describe("a finalizer forced off", () => {
  it("is recorded after those before it, and goes with every copy", () => {
    const once = withoutForced(makeResource({ finalizers: ["a", "b", "a"] }), "a", "why", now);
    expect(once.finalizers).toEqual(["b"]);
    const twice = withoutForced(makeResource(once), "b", "because", now);
    expect(JSON.parse(twice.annotations.get(RECORD) ?? "")).toEqual([
      { finalizer: "a", message: "why", at: "2026-01-02T03:04:05.678Z" },
      { finalizer: "b", message: "because", at: "2026-01-02T03:04:05.678Z" },
    ]);
  });

  it("keeps what somebody else wrote in the place of the record", () => {
    for (const [text, kept] of [
      ["not JSON", "not JSON"],
      ['{"x":1}', { x: 1 }],
    ] as const) {
      const resource = makeResource({ finalizers: ["a"], annotations: new Map([[RECORD, text]]) });
      const { annotations } = withoutForced(resource, "a", "why", now);
      expect(JSON.parse(annotations.get(RECORD) ?? "")[0]).toEqual(kept);
    }
  });

  it("must be there", () => {
    let error: unknown;
    try {
      withoutForced(makeResource({ finalizers: ["a"] }), "b", "why", now);
    } catch (thrown) {
      error = thrown;
    }
    expect(hasReason(error, "FINALIZER_NOT_FOUND") && error.code).toBe("NOT_FOUND");
  });
});
