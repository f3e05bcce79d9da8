import { Code, ConnectError } from "@connectrpc/connect";
import { pino } from "pino";
import { beforeEach, describe, expect, test } from "vitest";
import { DomainError } from "../../../src/resource/errors.js";
import { InternalError } from "../../../src/state-manager/api/error-mapping.js";
import { type Endpoint, Pipeline } from "../../../src/state-manager/api/pipeline.js";
import { createMetrics, type Metrics } from "../../../src/state-manager/observability/metrics.js";

const UNARY: Endpoint = { protocol: "rest", method: "get", shape: "unary" };
const STREAM: Endpoint = { protocol: "grpc", method: "Watch", shape: "stream" };

let metrics: Metrics;
let pipeline: Pipeline;
let lines: Record<string, unknown>[];
beforeEach(() => {
  metrics = createMetrics();
  lines = [];
  const logger = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
  pipeline = new Pipeline({ maxCallsInFlight: 2, maxOpenStreams: 1, callDeadlineMs: 30 }, metrics, logger);
});

async function counts(): Promise<Record<string, number>> {
  const { values } = await metrics.requestDuration.get();
  const totals = values.filter(({ metricName }) => metricName?.endsWith("_count"));
  return Object.fromEntries(totals.map(({ labels, value }) => [`${labels.method} ${labels.code}`, value]));
}

async function inFlight(): Promise<number> {
  return (await metrics.requestsInFlight.get()).values.reduce((sum, { value }) => sum + value, 0);
}

const never = () => new Promise<never>(() => {});
async function* numbers(count: number, error?: unknown) {
  for (let i = 0; i < count; i++) yield i;
  if (error !== undefined) throw error;
}

async function drain(stream: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of stream) count += 1;
  return count;
}

describe("a call", () => {
  test("answers, and is counted", async () => {
    expect(await pipeline.call(UNARY, {}, async () => 5)).toBe(5);
    expect([await counts(), await inFlight()]).toEqual([{ "get ok": 1 }, 0]);
  });

  test("passes a domain error on and counts it under its code, without a line in the log", async () => {
    const error = new DomainError("NOT_FOUND", "NOT_FOUND", "gone");
    await expect(pipeline.call(UNARY, {}, () => Promise.reject(error))).rejects.toBe(error);
    expect([await counts(), await inFlight(), lines]).toEqual([{ "get not_found": 1 }, 0, []]);
  });

  test("turns an unknown error into an internal one, logged once with the caller's request id, leaking nothing", async () => {
    const error = new Error("password=hunter2");
    const failed = pipeline.call(UNARY, { requestId: "req-1" }, () => Promise.reject(error));
    await expect(failed).rejects.toThrow(new InternalError("req-1", error).message);
    await expect(failed).rejects.not.toThrow("hunter2");
    expect(lines).toMatchObject([
      { msg: "request failed", request_id: "req-1", method: "get", err: { message: "password=hunter2" } },
    ]);
    expect(await counts()).toEqual({ "get internal": 1 });
  });

  test("takes no request id that could forge a log", async () => {
    await pipeline.call(UNARY, { requestId: 'x"\n{' }, () => Promise.reject(new Error("x"))).catch(() => {});
    expect(lines[0]?.request_id).toMatch(/^[0-9a-f]{16}$/);
  });

  test("ends at its deadline with an unknown outcome", async () => {
    await expect(pipeline.call(UNARY, {}, never)).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(await inFlight()).toBe(0);
  });

  test("ends when its client leaves, or its client's deadline passes", async () => {
    const left = AbortSignal.abort();
    await expect(pipeline.call(UNARY, { signal: left }, never)).rejects.toMatchObject({ code: Code.Canceled });
    const late = new AbortController();
    const call = pipeline.call({ ...UNARY, shape: "wait" }, { signal: late.signal }, never);
    late.abort(new ConnectError("too late", Code.DeadlineExceeded));
    await expect(call).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    expect(lines).toEqual([]);
  });

  test("is refused past the limit, and admitted again when others end (I9)", async () => {
    const open: (() => void)[] = [];
    const wait = () => new Promise<void>((resolve) => open.push(resolve));
    const calls = [pipeline.call(UNARY, {}, wait), pipeline.call(UNARY, {}, wait)];
    await expect(pipeline.call(UNARY, {}, wait)).rejects.toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "OVERLOADED",
    });
    // A long poll counts as a stream: waiting workers must not keep users out.
    expect(await pipeline.call({ ...UNARY, shape: "wait" }, {}, async () => 1)).toBe(1);
    for (const finish of open) finish();
    await Promise.all(calls);
    expect(await pipeline.call(UNARY, {}, async () => 1)).toBe(1);
  });
});

describe("a stream", () => {
  test("passes messages on and measures the time to the first", async () => {
    expect(await drain(pipeline.stream(STREAM, {}, numbers(3)))).toBe(3);
    expect([await counts(), await inFlight()]).toEqual([{ "Watch ok": 1 }, 0]);
  });

  test("translates errors before and after the first message", async () => {
    const lost = new DomainError("OUT_OF_RANGE", "COMPACTED", "compacted");
    await expect(drain(pipeline.stream(STREAM, {}, numbers(0, lost)))).rejects.toBe(lost);
    await expect(drain(pipeline.stream(STREAM, {}, numbers(2, new Error("bug"))))).rejects.toThrow(InternalError);
    expect([await counts(), lines.length, await inFlight()]).toEqual([
      { "Watch out_of_range": 1, "Watch ok": 1 },
      1,
      0,
    ]);
  });

  test("what breaks once the client is gone is an abort, not a failure in the log", async () => {
    const error = Object.assign(new Error("Premature close"), { code: "ERR_STREAM_PREMATURE_CLOSE" });
    const stream = pipeline.stream(STREAM, { signal: AbortSignal.abort() }, numbers(0, error));
    await expect(drain(stream)).rejects.toMatchObject({ code: Code.Canceled });
    expect([await counts(), lines]).toEqual([{ "Watch canceled": 1 }, []]);
  });

  test("is refused past the limit and gives its place back when the reader leaves", async () => {
    const first = pipeline.stream(STREAM, {}, numbers(5));
    await first.next();
    await expect(drain(pipeline.stream(STREAM, {}, numbers(1)))).rejects.toMatchObject({ reason: "OVERLOADED" });
    await first.return();
    expect(await drain(pipeline.stream(STREAM, {}, numbers(1)))).toBe(1);
  });
});
