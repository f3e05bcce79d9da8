import { expect, test } from "vitest";
import { ClockWatch } from "../../../src/state-manager/work/clock-watch.js";

/** Looks of 10 ms, one at each pair of [monotonic, database] milliseconds. */
function steps(...looks: readonly (readonly [number, number])[]): (number | undefined)[] {
  const watch = new ClockWatch();
  return looks.map(([at, databaseMs]) => watch.observe(databaseMs, at, at + 10)?.byMs);
}

test("a clock that keeps its pace shows no step, whatever it shows", () => {
  expect(steps([0, 1e12], [10_000, 1e12 + 10_000], [20_000, 1e12 + 20_300])).toEqual([undefined, undefined, undefined]);
});

test("a clock that is set back or ahead is seen once, with how far it went", () => {
  const hour = 3_600_000;
  expect(steps([0, 1e12], [5_000, 1e12 + 5_000 - hour], [10_000, 1e12 + 10_000 - hour])).toEqual([
    ...[undefined, -hour, undefined],
  ]);
  expect(steps([0, 1e12], [5_000, 1e12 + 5_000 + 2 * hour])).toEqual([undefined, 2 * hour]);
});

test("a slow answer is no step: nobody knows when in between the database looked at its clock", () => {
  const watch = new ClockWatch();
  expect(watch.observe(1e12, 0, 10)).toBeUndefined();
  expect(watch.observe(1e12 + 9_000, 1_000, 9_000)).toBeUndefined();
  expect(watch.observe(1e12 + 10_000, 10_000, 11_900)).toBeUndefined();
});
