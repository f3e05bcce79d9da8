import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SharedAnswer } from "../../../src/state-manager/service/shared-answer.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Answers 1, 2, 3 … and takes `tookMs` for each. */
function counting(tookMs: number): SharedAnswer<number> {
  let asked = 0;
  return new SharedAnswer(() => new Promise((resolve) => setTimeout(resolve, tookMs, ++asked)));
}

async function answersOf(shared: SharedAnswer<number>, many: number): Promise<number[]> {
  const answers = Promise.all(Array.from({ length: many }, () => shared.get()));
  await vi.advanceTimersByTimeAsync(100);
  return answers;
}

test("all who ask at once get one answer, and it serves for 20 times what it took", async () => {
  const shared = counting(100);
  expect(await answersOf(shared, 3)).toEqual([1, 1, 1]);
  await vi.advanceTimersByTimeAsync(1_901);
  expect(await answersOf(shared, 2)).toEqual([1, 1]);
  expect(await answersOf(shared, 2)).toEqual([2, 2]);
});

test("an answer that took no time serves for a second", async () => {
  const shared = counting(0);
  expect(await answersOf(shared, 1)).toEqual([1]);
  await vi.advanceTimersByTimeAsync(800);
  expect(await answersOf(shared, 1)).toEqual([1]);
  await vi.advanceTimersByTimeAsync(101);
  expect(await answersOf(shared, 1)).toEqual([2]);
});

test("a failure is told for as long as it took to come, and then asked again", async () => {
  let asked = 0;
  const shared = new SharedAnswer(async () => {
    asked++;
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (asked === 1) throw new Error("away");
    return asked;
  });
  const outcomes = () => {
    const outcome = shared.get().catch((error: Error) => error.message);
    return vi.advanceTimersByTimeAsync(100).then(() => outcome);
  };
  const [first, along] = await Promise.all([outcomes(), shared.get().catch((error: Error) => error.message)]);
  expect([first, along]).toEqual(["away", "away"]);
  expect(await outcomes()).toBe("away");
  expect(await outcomes()).toBe(2);
});
