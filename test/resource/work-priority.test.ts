import { expect, test } from "vitest";
import { validateInput } from "../../src/resource/validate.js";
import {
  checkPriority,
  PRIORITY_ANNOTATION,
  priorityShiftOf,
  shiftPriority,
} from "../../src/resource/work-priority.js";

test("the annotation shifts classes, never beyond the first or the last", () => {
  const shiftOf = (word: string) => priorityShiftOf(new Map([[PRIORITY_ANNOTATION, word]]));
  expect(["high", "normal", "low"].map(shiftOf)).toEqual([-1, 0, 1]);
  expect(priorityShiftOf(new Map())).toBe(0);
  expect(([-1, 0, 1, 2] as const).map((priority) => shiftPriority(priority, -1))).toEqual([-1, -1, 0, 1]);
  expect(([-1, 0, 1, 2] as const).map((priority) => shiftPriority(priority, 1))).toEqual([0, 1, 2, 2]);
});

test("a word stored before words were checked counts as normal", () => {
  expect(priorityShiftOf(new Map([[PRIORITY_ANNOTATION, "asap"]]))).toBe(0);
});

test("refuses other words, naming the annotation", () => {
  expect(() => checkPriority("x", "high")).not.toThrow();
  const input = {
    key: { resourceGroup: "apps", kind: "Widget", namespace: "default", name: "a" },
    shardId: "main",
    labels: new Map<string, string>(),
    annotations: new Map([[PRIORITY_ANNOTATION, "High"]]),
    finalizers: [],
    specJson: "{}",
  };
  expect(() => validateInput(input)).toThrow(
    'annotations["reconcile.dev/priority"] must be "high", "normal" or "low" (got "High")',
  );
});
