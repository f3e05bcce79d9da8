import { expect, test } from "vitest";
import type { ClientSession } from "../../src/client/client-work.js";
import { LoadSeries } from "../../web/src/overview/load-series.js";

const session = (sessionId: string, passes: number, failedPasses: number): ClientSession => ({
  ...{
    sessionId,
    passes,
    failedPasses,
    name: "r",
    instanceId: "i",
    language: "go",
    epoch: 1n,
    kinds: [],
    shardIds: [],
  },
  ...{ leases: 0, concurrency: 1, registeredAt: undefined, lastSeenAt: undefined, expiresAt: undefined },
});

test("knows no rate from one reading", () => {
  const { points, sessions } = new LoadSeries().add(1_000, [session("a", 5, 1)], 3);
  expect(points).toEqual([{ at: 1_000, due: 3, passesPerSecond: null, errorsPerSecond: null }]);
  expect(sessions.get("a")?.passesPerSecond).toBeNull();
});

test("counts a new session from zero, and leaves out one that has ended", () => {
  const series = new LoadSeries();
  series.add(0, [session("a", 100, 0), session("ended", 9, 9)]);
  const { points, sessions } = series.add(2_000, [session("a", 120, 4), session("new", 10, 0)]);
  expect(sessions.get("a")).toEqual({ passesPerSecond: 10, errorsPerSecond: 2 });
  expect(points.at(-1)).toMatchObject({ passesPerSecond: 15, errorsPerSecond: 2 });
});

test("is steady although the server adds passes up every few seconds", () => {
  const series = new LoadSeries();
  for (let second = 0; second <= 40; second += 2)
    series.add(second * 1_000, [session("a", 100 * Math.floor(second / 4), 0)]);
  const rates = series.points.slice(5).map(({ passesPerSecond }) => passesPerSecond);
  expect(new Set(rates)).toEqual(new Set([25]));
});

test("forgets what is older than five minutes", () => {
  const series = new LoadSeries();
  for (let second = 0; second <= 600; second += 10) series.add(second * 1_000, []);
  expect(series.points[0]?.at).toBe(300_000);
});
