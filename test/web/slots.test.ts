import { expect, test } from "vitest";
import { Slots } from "../../web/src/resources/slots.js";

test("who stays keeps the slot, who comes takes the lowest that is free", () => {
  const slots = new Slots();
  expect(slots.assign(["a", "b", "c"])).toEqual([0, 1, 2]);
  expect(slots.assign(["b", "c", "d", "e"])).toEqual([1, 2, 0, 3]);
  expect(slots.assign(["e", "b", "f"])).toEqual([3, 1, 0]);
});

test("a window somewhere else uses the same slots again", () => {
  const slots = new Slots();
  slots.assign(["a", "b", "c"]);
  expect(slots.assign(["x", "y", "z"])).toEqual([0, 1, 2]);
  expect(slots.assign([])).toEqual([]);
});
