import { expect, test } from "vitest";
import { mendSorted } from "../../web/src/resources/mend-sorted.js";
import { Random } from "../support/seed.js";

const byNumber = (a: number, b: number) => a - b;

test("is what sorting what is left and what is new gives, whatever they hold", () => {
  const random = new Random(7);
  const numbers = () => new Set(Array.from({ length: random.below(30) }, () => random.below(40)));
  for (let round = 0; round < 200; round++) {
    const [items, removed] = [[...numbers()].sort(byNumber), numbers()];
    const added = [...numbers()].filter((number) => !items.includes(number) && !removed.has(number));
    const wanted = [...items.filter((number) => !removed.has(number)), ...added].sort(byNumber);
    expect(mendSorted(items, removed, added, byNumber)).toEqual(wanted);
  }
});

test("puts a new state where the old one was, whichever of the two is taken first", () => {
  const [one, two, newTwo, three] = [{ at: 1 }, { at: 2 }, { at: 2 }, { at: 3 }];
  for (const turn of [1, -1]) {
    const order = (a: { at: number }, b: { at: number }) => turn * (a.at - b.at);
    const items = [one, two, three].sort(order);
    const mended = mendSorted(items, new Set([two]), [newTwo], order);
    expect(mended.map((item) => item === newTwo)).toEqual([false, true, false]);
  }
});

test("compares little when little changes of much", () => {
  const items = Array.from({ length: 100_000 }, (_, at) => at);
  let comparisons = 0;
  const mended = mendSorted(items, new Set([90_000]), [3.5, 70_000.5], (a, b) => {
    comparisons++;
    return a - b;
  });
  expect(mended).toHaveLength(100_001);
  expect(comparisons).toBeLessThan(60);
});
