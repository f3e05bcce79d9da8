import { connect } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ORIGIN } from "../../../src/resource/change.js";
import { ResumeTokens } from "../../../src/state-manager/watch/resume-token.js";
import { startServer, type TestServer } from "../../support/server.js";
import { until } from "../../support/until.js";
import { openSse, type SseEvent, type SseStream } from "./sse-client.js";

const FOREIGN_TOKEN = new ResumeTokens({ storeId: "00000000-0000-4000-8000-000000000000", logCount: 1 }).encode([
  ORIGIN,
]);

let server: TestServer;
let group = 0;
const streams: SseStream[] = [];
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());
beforeEach(() => {
  group += 1;
  for (const stream of streams.splice(0)) stream.close();
});

const collection = () => `${server.url}/api/v1/groups/g${group}/namespaces/n/kinds/k/resources`;

async function write(method: string, name: string, body: unknown = undefined): Promise<Record<string, unknown>> {
  const url = method === "POST" ? collection() : `${collection()}/${name}`;
  const init =
    method === "DELETE" ? { method } : { method, body: JSON.stringify({ name, shard_id: "s1", ...(body as object) }) };
  const response = await fetch(url, init);
  expect(response.ok).toBe(true);
  return response.status === 204 ? {} : ((await response.json()) as Record<string, unknown>);
}

async function watch(query = "", lastEventId?: string): Promise<SseStream> {
  const stream = await openSse(`${server.url}/api/v1/watch?resource_group=g${group}${query}`, lastEventId);
  streams.push(stream);
  return stream;
}

const named = ({ type, data }: SseEvent) =>
  `${type} ${(data.resource as { name?: string } | undefined)?.name ?? ""}`.trim();

async function take(stream: SseStream, count: number): Promise<SseEvent[]> {
  const events: SseEvent[] = [];
  while (events.length < count) events.push(await stream.next());
  return events;
}

test("answers at once, unbuffered and uncached, with a bookmark to resume from", async () => {
  const stream = await watch();
  expect(stream.status).toBe(200);
  expect(Object.fromEntries(stream.headers)).toMatchObject({
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  for await (const first of stream) {
    expect(first).toMatchObject({ type: "BOOKMARK", data: { type: "BOOKMARK" } });
    expect(first.lastEventId).not.toBe("");
    break;
  }
});

test("streams changes in order with the object as REST shows it", async () => {
  const stream = await watch();
  const created = await write("POST", "a", { spec: { text: "line\nbreak" }, finalizers: ["f"] });
  const updated = await write("PUT", "a", { spec: 2 });
  await write("DELETE", "a");
  const events = await take(stream, 3);
  expect(events.map(({ type, data }) => [type, data.type, data.shard_id, data.revision])).toEqual([
    ["ADDED", "ADDED", "s1", created.revision],
    ["MODIFIED", "MODIFIED", "s1", updated.revision],
    ["DELETED", "DELETED", "s1", Number(updated.revision) + 1],
  ]);
  expect(events[0]?.data.resource).toEqual(created);
  expect(events[1]?.data.resource).toEqual(updated);
});

test("sends white space of a spec in one line", async () => {
  const stream = await watch();
  const spec = '{\r\n\t"a": "x\\ny",\n"n": 12345678901234567890 }';
  await fetch(collection(), { method: "POST", body: `{"name":"raw","shard_id":"s","spec":${spec}}` });
  expect((await stream.next()).raw).toContain(spec.replace(/[\r\n]/g, " "));
});

test("sends the initial state, then SYNCED, then changes; ids begin with SYNCED", async () => {
  await write("POST", "a");
  await write("POST", "b");
  const stream = await watch("&send_initial_state=true");
  const initial = await take(stream, 3);
  await write("POST", "c");
  const events = [...initial, await stream.next()];
  expect(events.map(named)).toEqual(["ADDED a", "ADDED b", "SYNCED", "ADDED c"]);
  expect(events.map(({ hasId }) => hasId)).toEqual([false, false, true, true]);
});

test("filters by every field and by selector", async () => {
  const stream = await watch("&kind=k&namespace=n&shard_id=s2&label_selector=tier%20in%20(web)");
  await write("POST", "other-shard", { labels: { tier: "web" } });
  await write("POST", "other-label", { shard_id: "s2", labels: { tier: "api" } });
  await write("POST", "x", { shard_id: "s2", labels: { tier: "web" } });
  await write("PUT", "x", { shard_id: "s2", labels: { tier: "api" } });
  await write("PUT", "x", { shard_id: "s2", labels: { tier: "web" } });
  await write("PUT", "x", { shard_id: "s3", labels: { tier: "web" } });
  const events = await take(stream, 4);
  expect(events.map(named)).toEqual(["ADDED x", "DELETED x", "ADDED x", "DELETED x"]);
  expect(events[3]?.data).toMatchObject({ shard_id: "s2", moved_to: "s3" });
});

describe("a client that lost its connection", () => {
  test("neither misses nor repeats an event, wherever it was cut (I3)", async () => {
    const start = await watch();
    const names = Array.from({ length: 40 }, (_, i) => `n${i}`);
    await Promise.all(names.map((name) => write("POST", name)));
    const seen = (await take(start, names.length)).map((event) => ({ name: named(event), id: event.lastEventId }));
    expect(new Set(seen.map(({ id }) => id)).size).toBe(names.length);
    // Every event of a batch has an id of its own, and each of them goes on with the next event.
    for (const [i, { id }] of seen.entries()) {
      if (i === seen.length - 1) break;
      const resumed = await watch("", id);
      expect(named(await resumed.next())).toBe(seen[i + 1]?.name);
      resumed.close();
    }
  });

  test("goes on from Last-Event-ID whatever the URL says", async () => {
    await write("POST", "old");
    const first = await watch("&send_initial_state=true");
    const [, synced] = await take(first, 2);
    first.close();
    await write("POST", "new");
    for (const query of ["&send_initial_state=true", "&resume_token=nonsense"]) {
      const resumed = await watch(query, synced?.lastEventId);
      expect(named(await resumed.next())).toBe("ADDED new");
    }
    const byToken = await watch(`&resume_token=${synced?.lastEventId}`);
    expect(named(await byToken.next())).toBe("ADDED new");
  });

  test("is told inside the stream that its position is lost, and forgets it", async () => {
    const stream = await watch("&send_initial_state=true", "nonsense");
    expect(stream.status).toBe(200);
    const events: SseEvent[] = [];
    for await (const event of stream) events.push(event);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      type: "ERROR",
      hasId: true,
      lastEventId: "",
      data: { reason: "MALFORMED_TOKEN" },
    });
    expect(events[0]?.data.message).toMatch(/resume_token/);
  });
});

describe("a first request that cannot be served", () => {
  test.each<[string, number, RegExp]>([
    ["&resume_token=nonsense", 400, /resume_token is not a token/],
    [`&resume_token=${FOREIGN_TOKEN}`, 400, /issued by another store/],
    ["&label_selector=a", 400, /^Validation failed: label_selector/],
    ["&kind=%00", 400, /^Validation failed: kind/],
    ["&kind=%FF", 400, /^Validation failed: kind must be percent-encoded UTF-8/],
    ["&send_initial_state=yes", 400, /^Validation failed: send_initial_state must be true or false/],
    ["&send_initial_stat=true", 400, /did you mean send_initial_state\?/],
  ])("%s is %i", async (query, status, message) => {
    const response = await fetch(`${server.url}/api/v1/watch?resource_group=g${query}`);
    expect(response.status).toBe(status);
    expect(((await response.json()) as { error: string }).error).toMatch(message);
  });

  test("send_initial_state together with resume_token is 400", async () => {
    const response = await fetch(`${server.url}/api/v1/watch?send_initial_state=1&resume_token=x`);
    expect(response.status).toBe(400);
  });
});

test("a slow reader stops being sent to, and is released when it leaves", async () => {
  const watchers = async () => (await server.metrics.watchers.get()).values[0]?.value;
  await until(async () => (await watchers()) === 0, { what: "the watchers of other tests are gone" });
  const socket = connect(server.port, server.host);
  socket.write(`GET /api/v1/watch?resource_group=g${group} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await new Promise((resolve) => socket.once("data", resolve));
  socket.pause();
  for (let i = 0; i < 24; i++) await write("POST", `big${i}`, { spec: "x".repeat(500_000) });
  expect(await watchers()).toBe(1);
  socket.destroy();
  await until(async () => (await watchers()) === 0, { what: "the watcher is gone" });
});

test("shutting down tells clients to come back with their position", async () => {
  const own = await startServer();
  const stream = await openSse(`${own.url}/api/v1/watch`);
  let position = "";
  const ended = (async () => {
    for await (const event of stream) {
      if (event.type === "ERROR") return event;
      position = event.lastEventId;
    }
    return undefined;
  })();
  await until(() => position);
  await own.stop();
  expect(await ended).toMatchObject({ hasId: false, lastEventId: position, data: { reason: "SHUTTING_DOWN" } });
});

test("several logs: every event has its own id all the same", async () => {
  const own = await startServer({ config: { logCount: 4 } });
  const post = (name: string) =>
    fetch(`${own.url}/api/v1/groups/g/namespaces/n/kinds/k/resources`, {
      method: "POST",
      body: JSON.stringify({ name, shard_id: `s${name}` }),
    });
  const stream = await openSse(`${own.url}/api/v1/watch`);
  await Promise.all(Array.from({ length: 30 }, (_, i) => post(String(i))));
  const seen: SseEvent[] = await take(stream, 30);
  stream.close();
  for (const [i, { lastEventId }] of seen.entries()) {
    const resumed = await openSse(`${own.url}/api/v1/watch`, lastEventId);
    const rest = (await take(resumed, 29 - i)).map(named).sort();
    expect(rest).toEqual(
      seen
        .slice(i + 1)
        .map(named)
        .sort(),
    );
    resumed.close();
  }
  await own.stop();
});
