import { describe, expect, test } from "vitest";
import { DomainError } from "../../../src/resource/errors.js";
import type { PassReport } from "../../../src/resource/work.js";
import { validateReport } from "../../../src/state-manager/work/validate-report.js";
import { keyOf } from "./open-work.js";

const SUCCESS: PassReport = {
  key: keyOf("a"),
  leaseToken: "token",
  result: { type: "SUCCESS" },
  observedGeneration: 1n,
  statusJson: undefined,
  statusMode: "REPLACE",
  conditions: [],
  addFinalizers: [],
  removeFinalizers: [],
  labels: new Map(),
  annotations: new Map(),
};

const condition = { type: "Ready", status: "True", reason: "", message: "" } as const;
const labels = (count: number) => new Map(Array.from({ length: count }, (_, i) => [`l${i}`, "v"]));

describe("validateReport", () => {
  const accepted: [string, Partial<PassReport>][] = [
    ["SUCCESS", {}],
    ["a status", { statusJson: '{"a":1e308,"b":1}' }],
    ["conditions", { conditions: [condition, { ...condition, type: "Synced", reason: "Done" }] }],
    ["removed labels and annotations", { labels: new Map([["gone", null]]), annotations: new Map([["gone", null]]) }],
    ["the shortest wait", { result: { type: "REQUEUE_AFTER", afterMs: 1 }, observedGeneration: undefined }],
    ["the longest wait", { result: { type: "REQUEUE_AFTER", afterMs: 2_592_000_000 } }],
    ["RELEASE", { result: { type: "RELEASE" }, observedGeneration: undefined }],
  ];
  test.each(accepted)("accepts %s", (_, over) => {
    expect(validateReport({ ...SUCCESS, ...over })).toEqual({ ...SUCCESS, ...over });
  });

  test.each([0, -1, -1e15])("takes a wait of %d ms for now: its time has passed", (afterMs) => {
    const report = { ...SUCCESS, result: { type: "REQUEUE_AFTER", afterMs } } as const;
    expect(validateReport(report).result).toEqual({ type: "REQUEUE_AFTER", afterMs: 1 });
  });

  const refused: [string, Partial<PassReport>, string][] = [
    ["a key without a name", { key: { ...keyOf("a"), name: "" } }, "name"],
    ["SUCCESS without a generation", { observedGeneration: undefined }, "observed_generation"],
    ["a negative generation", { observedGeneration: -1n }, "observed_generation"],
    ["a status that is not JSON", { statusJson: "{" }, "status"],
    ["too long a wait", { result: { type: "REQUEUE_AFTER", afterMs: 2_592_000_001 } }, "requeue_after"],
    ["a condition without a type", { conditions: [{ ...condition, type: "" }] }, "conditions[0].type"],
    [
      "a condition's endless message",
      { conditions: [{ ...condition, message: "x".repeat(4_097) }] },
      "conditions[0].message",
    ],
    ["too many conditions", { conditions: Array.from({ length: 65 }, () => condition) }, "conditions"],
    ["an empty finalizer", { addFinalizers: [""] }, "add_finalizers[0]"],
    ["a finalizer with NUL", { removeFinalizers: ["ok", "a\0"] }, "remove_finalizers[1]"],
    ["a label with =", { labels: new Map([["a=b", "c"]]) }, 'labels["a=b"]'],
    ["too many labels", { labels: labels(513) }, "labels"],
    ["an annotation without a key", { annotations: new Map([["", null]]) }, 'annotations[""]'],
  ];
  test.each(refused)("refuses %s", (_, over, field) => {
    let problem: unknown;
    try {
      validateReport({ ...SUCCESS, ...over });
    } catch (error) {
      problem = error;
    }
    expect(problem).toBeInstanceOf(DomainError);
    expect(problem).toMatchObject({ code: "INVALID_ARGUMENT", field });
  });

  test("an error is never refused: it is cut after 4,096 characters, and what cannot be stored is replaced", () => {
    const errorOf = (error: string) => validateReport({ ...SUCCESS, result: { type: "ERROR", error } }).result;
    expect(errorOf("a\0b\uD800c")).toEqual({ type: "ERROR", error: "a\uFFFDb\uFFFDc" });
    expect(errorOf("😀".repeat(5_000))).toEqual({ type: "ERROR", error: "😀".repeat(4_096) });
  });
});
