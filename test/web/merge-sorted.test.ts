import { expect, test } from "vitest";
import { mergeSorted } from "../../web/src/resources/merge-sorted.js";
import { randomFrom } from "../resource/random.js";

const byNumber = (a: number, b: number) => a - b;

test("is what sorting both lists together gives, whatever they hold", () => {
  const { int } = randomFrom(7);
  const numbers = () => Array.from({ length: int(30) }, () => int(40)).sort(byNumber);
  for (let round = 0; round < 200; round++) {
    const [items, added] = [numbers(), numbers()];
    expect(mergeSorted(items, added, byNumber)).toEqual([...items, ...added].sort(byNumber));
  }
});

test("compares little when little is added to much", () => {
  const items = Array.from({ length: 100_000 }, (_, at) => at);
  let comparisons = 0;
  const merged = mergeSorted(items, [3.5, 70_000.5], (a, b) => {
    comparisons++;
    return a - b;
  });
  expect(merged).toHaveLength(100_002);
  expect(comparisons).toBeLessThan(40);
});
