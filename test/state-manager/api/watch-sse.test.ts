import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { afterEach, expect, test } from "vitest";
import { ORIGIN } from "../../../src/resource/change.js";
import { DomainError } from "../../../src/resource/errors.js";
import { Pipeline } from "../../../src/state-manager/api/pipeline.js";
import { SseFrames } from "../../../src/state-manager/api/sse-frames.js";
import { SseWatch } from "../../../src/state-manager/api/watch-sse.js";
import { createMetrics } from "../../../src/state-manager/observability/metrics.js";
import { ResumeTokens } from "../../../src/state-manager/watch/resume-token.js";
import type { WatchBatch, WatchSource } from "../../../src/state-manager/watch/watch.js";
import { openSse, type SseEvent } from "./sse-client.js";

/** A watch that ends as it is told to; how real ones end is for the watch room to show. */

const tokens = new ResumeTokens({ storeId: "00000000-0000-4000-8000-000000000000", logCount: 1 });
const TOKEN = tokens.encode([ORIGIN]);
const BOOKMARK: WatchBatch = { events: [{ type: "BOOKMARK" }], resumeToken: TOKEN };

let http: Server | undefined;
afterEach(() => {
  http?.closeAllConnections();
  http?.close();
});

async function serve(open: WatchSource["open"]): Promise<string> {
  const limits = { maxCallsInFlight: 10, maxOpenStreams: 10, callDeadlineMs: 1_000 };
  const pipeline = new Pipeline(limits, createMetrics(), pino({ level: "silent" }));
  const watch = new SseWatch({ open, tokenFor: (heads) => tokens.encode(heads) }, new SseFrames(tokens), pipeline);
  const server = createServer((request, response) => {
    void watch.serve(request, response, new URL(request.url ?? "", "http://localhost").search.slice(1));
  });
  http = server;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const compacted = new DomainError("OUT_OF_RANGE", "COMPACTED", "the token is older than the history; list again");

async function all(url: string, lastEventId?: string): Promise<SseEvent[]> {
  const stream = await openSse(url, lastEventId);
  expect(stream.status).toBe(200);
  const events: SseEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

test("a first request with a compacted token is 410", async () => {
  const url = await serve(() => Promise.reject(compacted));
  const response = await fetch(`${url}?resume_token=x`);
  expect([response.status, await response.json()]).toEqual([410, { error: compacted.message }]);
});

test("a reconnect with a compacted token is told so in the stream, with an empty id", async () => {
  const url = await serve(() => Promise.reject(compacted));
  const data = { reason: "COMPACTED", message: compacted.message };
  expect(await all(url, TOKEN)).toMatchObject([{ type: "ERROR", hasId: true, lastEventId: "", data }]);
});

test.each<[DomainError, boolean]>([
  [compacted, true],
  [new DomainError("OUT_OF_RANGE", "LINEAGE_LOST", "restored"), true],
  [new DomainError("UNAVAILABLE", "SHUTTING_DOWN", "resume elsewhere"), false],
])("%s in the middle of a stream ends it; the position is forgotten: %o", async (error, forgets) => {
  const url = await serve(async function open() {
    return (async function* batches() {
      yield BOOKMARK;
      throw error;
    })();
  });
  const [first, last] = await all(url);
  expect(first).toMatchObject({ type: "BOOKMARK", lastEventId: TOKEN });
  expect(last).toMatchObject({ type: "ERROR", data: { reason: error.reason }, lastEventId: forgets ? "" : TOKEN });
});

test("a store that is away keeps a reconnecting client trying with its position, and turns a new one away", async () => {
  const away = new DomainError("UNAVAILABLE", "STORE_UNAVAILABLE", "PostgreSQL does not answer");
  const url = await serve(() => Promise.reject(away));
  expect(await all(url, TOKEN)).toMatchObject([{ type: "ERROR", hasId: false, data: { reason: "STORE_UNAVAILABLE" } }]);
  expect((await fetch(url)).status).toBe(503);
});

test("a bug tells nothing but that it is one", async () => {
  const url = await serve(() => Promise.reject(new Error("password=hunter2")));
  const response = await fetch(url);
  expect(response.status).toBe(500);
  expect(await response.text()).toMatch(/^{"error":"internal error; give the operator request id [0-9a-f]{16}"}\n$/);
});

test("a client that leaves ends its watch", async () => {
  let ended: Promise<void> | undefined;
  const url = await serve(async (_request, signal) => {
    ended = new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
    return (async function* batches() {
      yield BOOKMARK;
      await ended;
    })();
  });
  const stream = await openSse(url);
  for await (const _ of stream) break;
  stream.close();
  await ended;
});
