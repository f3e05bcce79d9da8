import { expect, test } from "vitest";
import { addFinalizers, removeFinalizers } from "../../src/resource/finalizers.js";

test("adds what is missing once, at the end, and keeps the list when nothing is", () => {
  const list = ["a", "b"];
  expect(addFinalizers(list, ["c", "a", "c"])).toEqual(["a", "b", "c"]);
  expect(addFinalizers(list, ["b"])).toBe(list);
});

test("removes every copy and keeps the list when none is there", () => {
  const list = ["a", "b", "a"];
  expect(removeFinalizers(list, ["a", "x"])).toEqual(["b"]);
  expect(removeFinalizers(list, ["x"])).toBe(list);
});
