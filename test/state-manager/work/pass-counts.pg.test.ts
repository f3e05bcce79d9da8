import { afterEach, beforeEach, expect, test } from "vitest";
import type { Statement } from "../../../src/state-manager/store/database.js";
import { PassCounts } from "../../../src/state-manager/work/pass-counts.js";
import { until } from "../../support/until.js";
import { first, jumpingClock, leaseNow, openWork, registration, report, type Work, write } from "./open-work.js";

let work: Work;
beforeEach(async () => {
  work = await openWork();
});
afterEach(() => work.close());

const session = async () => first(await work.queue.listSessions());

test("accepted passes and failed ones are counted, written by the pulse in one statement, and returned leases are no passes", async () => {
  const { sessionId } = await work.queue.register(registration());
  for (const name of ["a", "b", "c", "d"]) await write(work, name);
  const [a, b, c, d] = await leaseNow(work, sessionId);
  if (!(a && b && c && d)) throw new Error("four were due");
  expect(await session()).toMatchObject({ passes: 0n, failedPasses: 0n });
  await report(work, sessionId, a);
  await report(work, sessionId, b, { type: "ERROR", error: "no" });
  await report(work, sessionId, c, { type: "RELEASE" });
  await report(work, sessionId, d, { type: "REQUEUE_AFTER", afterMs: 60_000 });
  expect(await report(work, sessionId, a)).toBe("STALE");
  jumpingClock().jump(2_000);
  work.queue.start();
  await until(async () => (await session()).passes > 0n);
  expect(await session()).toMatchObject({ passes: 3n, failedPasses: 1n });
  expect((await work.statements()).get("count-passes")).toBe(1);
});

test("a replica that stops writes what it has counted", async () => {
  const { sessionId } = await work.queue.register(registration());
  await write(work, "a");
  await report(work, sessionId, first(await leaseNow(work, sessionId)));
  await work.queue.stop();
  expect(await session()).toMatchObject({ passes: 1n });
});

test("counts outlast a database that is away, and are asked for once", async () => {
  const { sessionId } = await work.queue.register(registration());
  const wishes: number[] = [];
  let isAway = true;
  const database = {
    query: <Row>(statement: Statement, values?: readonly unknown[]) =>
      isAway ? Promise.reject(new Error("away")) : work.store.database.query<Row>(statement, values),
  };
  const counts = new PassCounts(database, (inMs) => wishes.push(inMs));
  counts.count(sessionId, { type: "SUCCESS" });
  await expect(counts.flush(true)).rejects.toThrow("away");
  counts.count(sessionId, { type: "ERROR", error: "no" });
  expect(wishes).toEqual([2_000, 2_000]);
  expect(await counts.flush()).toBeGreaterThan(0);
  isAway = false;
  expect(await counts.flush(true)).toBe(Number.POSITIVE_INFINITY);
  expect(await session()).toMatchObject({ passes: 2n, failedPasses: 1n });
});

test("a session was last seen when it registered or renewed", async () => {
  const { sessionId } = await work.queue.register(registration());
  const { registeredAt, lastSeenAt } = await session();
  expect(Math.abs(lastSeenAt.getTime() - registeredAt.getTime())).toBeLessThanOrEqual(1);
  await work.sql("UPDATE sessions SET registered_at = now() - interval '1 hour', expires_at = now() + interval '1 s'");
  const before = await session();
  await work.queue.renew(sessionId, []);
  expect((await session()).lastSeenAt.getTime()).toBeGreaterThan(before.lastSeenAt.getTime());
});
