import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { VERSION } from "../../../src/shared/version.js";
import type { RedisAnswer } from "../../../src/state-manager/redis-connection.js";
import { serverStatus } from "../../../src/state-manager/service/server-status.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const store = { version: "18.4", now: new Date(), schema: 4, logs: [{ head: 7n, floor: 2n }], problem: "" };
const never = () => new Promise<never>(() => {});
const identity = { storeId: "s", programSchema: 4 };
const step = { seenAt: new Date(), byMs: -7_200_000 };

async function statusOf(
  askStore: () => Promise<typeof store>,
  askRedis: (() => Promise<RedisAnswer>) | undefined,
  compat = { isOn: false, problem: "" },
) {
  const askCompatStreams = async () => compat;
  const status = serverStatus({ ...identity, askStore, askRedis, askCompatStreams, clockStep: () => step })();
  await vi.advanceTimersByTimeAsync(2_000);
  return status;
}

test("tells of dependencies that answer", async () => {
  const status = await statusOf(
    async () => store,
    async () => ({ version: "7.0.15", problem: "" }),
  );
  expect(VERSION).toMatch(/^\d+\.\d+\.\d+/);
  expect(status).toMatchObject({ ...identity, version: VERSION, store, clockStep: step });
  expect(status.postgres).toEqual({ state: "OK", message: "", version: "18.4", roundTripMs: 0 });
  expect(status.redis).toEqual({ state: "OK", message: "", version: "7.0.15", roundTripMs: 0 });
});

test("answers within 2 s when nothing else does, and says what to do", async () => {
  const status = await statusOf(never, never);
  expect(status.store).toBeUndefined();
  expect(status.postgres).toMatchObject({ state: "FAILING", version: "", roundTripMs: undefined });
  expect(status.postgres.message).toMatch(/^no answer within 2000 ms: .*DATABASE_URL/);
  expect(status.redis.message).toMatch(/^no answer within 2000 ms: .*REDIS_URL/);
});

test("a Redis that answers and refuses what is needed of it is failing, with what it said", async () => {
  const { redis } = await statusOf(
    async () => store,
    async () => ({ version: "7.0.15", problem: "change streams cannot be written (READONLY …)" }),
  );
  expect(redis).toMatchObject({ state: "FAILING", version: "7.0.15", roundTripMs: 0 });
  expect(redis.message).toMatch(/^change streams cannot be written \(READONLY …\): .*REDIS_URL/);
});

test("tells what a dependency said instead of an answer, and that Redis is not used", async () => {
  const refused = new Error("the database is not reachable; retry", { cause: new Error("connect ECONNREFUSED") });
  const status = await statusOf(() => Promise.reject(refused), undefined);
  expect(status.postgres.message).toMatch(/^connect ECONNREFUSED: /);
  expect(status.redis).toMatchObject({ state: "DISABLED", message: "" });
});

test("a PostgreSQL that answers and takes no writes is failing, in its words, and still tells about the store", async () => {
  const readOnly = { ...store, problem: "the database is read-only" };
  const status = await statusOf(async () => readOnly, undefined);
  expect(status.postgres).toMatchObject({ state: "FAILING", message: "the database is read-only", version: "18.4" });
  expect(status.store).toMatchObject({ schema: 4 });
});

test.each([
  ["DISABLED", "", { isOn: false, problem: "" }],
  ["OK", "", { isOn: true, problem: "" }],
  ["FAILING", "OOM", { isOn: true, problem: "OOM" }],
])("tells of the streams of existing operators: %s", async (state, message, compat) => {
  const status = await statusOf(async () => store, undefined, compat);
  expect(status.compatStreams).toMatchObject({ state, message });
});
