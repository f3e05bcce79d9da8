import { connect as connectHttp2 } from "node:http2";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import * as web from "@connectrpc/connect-web";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorDetailSchema } from "../../../gen/reconcile/v1/error_pb.js";
import { PayloadEncoding } from "../../../gen/reconcile/v1/resource_pb.js";
import {
  EventType,
  ResourceService,
  type WatchEvent,
  type WatchResourcesResponse,
} from "../../../gen/reconcile/v1/resource_service_pb.js";
import { startServer, type TestServer } from "../../support/server.js";
import { until } from "../../support/until.js";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const PROTOCOLS: Record<string, (baseUrl: string) => Transport> = {
  "Connect JSON over HTTP/1.1": (baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  "Connect binary over HTTP/2": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }),
  "gRPC-Web over HTTP/1.1": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect as in a browser": (baseUrl) => web.createConnectTransport({ baseUrl, useHttpGet: true }),
  "gRPC-Web as in a browser": (baseUrl) => web.createGrpcWebTransport({ baseUrl }),
  gRPC: (baseUrl) => createGrpcTransport({ baseUrl }),
};

let groups = 0;

/** Reads a watch event by event, leaving out bookmarks; `token` is that of the last batch. */
class Reader {
  token = "";
  readonly #batches: AsyncIterator<WatchResourcesResponse>;
  readonly #events: WatchEvent[] = [];
  readonly #cut = new AbortController();

  constructor(client: Client<typeof ResourceService>, request: Parameters<typeof client.watchResources>[0]) {
    this.#batches = client.watchResources(request, { signal: this.#cut.signal })[Symbol.asyncIterator]();
  }

  async batch(): Promise<WatchResourcesResponse> {
    const { value, done } = await this.#batches.next();
    if (done) throw new Error("the watch ended without an error");
    this.token = value.resumeToken;
    return value;
  }

  async next(): Promise<WatchEvent> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      this.#events.push(...(await this.batch()).events.filter(({ type }) => type !== EventType.BOOKMARK));
    }
  }

  close(): void {
    this.#cut.abort();
  }
}

async function failure(reader: Reader): Promise<ConnectError> {
  for (;;) {
    try {
      await reader.batch();
    } catch (error) {
      return ConnectError.from(error);
    }
  }
}

describe.each(Object.entries(PROTOCOLS))("%s", (_name, transport) => {
  let client: Client<typeof ResourceService>;
  let group: string;
  const input = (name: string, fields: object = {}) => ({
    resource: { key: { resourceGroup: group, kind: "k", namespace: "n", name }, shardId: "s1", ...fields },
  });
  beforeAll(() => {
    client = createClient(ResourceService, transport(server.url));
    group = `w${++groups}`;
  });

  test("sends the initial state, SYNCED and changes, and resumes without a gap or a repetition (I3)", async () => {
    await client.createResource(input("a", { specJson: '{"n":9007199254740993}' }));
    const filter = { resourceGroup: group };
    const payloadEncoding = PayloadEncoding.JSON;
    const first = new Reader(client, { filter, sendInitialState: true, payloadEncoding });
    expect(await first.next()).toMatchObject({
      type: EventType.ADDED,
      resource: { specJson: '{"n":9007199254740993}', statusJson: "null" },
    });
    expect(await first.next()).toMatchObject({ type: EventType.SYNCED, revision: 0n });
    const { token } = first;
    first.close();
    await client.updateResource(input("a", { specJson: "1", shardId: "s2" }));
    const second = new Reader(client, { filter, resumeToken: token });
    const [left, came] = [await second.next(), await second.next()];
    expect(left).toMatchObject({ type: EventType.DELETED, movedTo: "s2", resource: { shardId: "s1" } });
    expect(came).toMatchObject({
      type: EventType.ADDED,
      movedTo: "",
      resource: { shardId: "s2", spec: { kind: { value: 1 } }, specJson: "" },
    });
    expect(came.revision).toBe(came.resource?.revision);
    second.close();
  });

  test("answers at once with a bookmark", async () => {
    const reader = new Reader(client, { filter: { resourceGroup: "quiet" } });
    const { events, resumeToken } = await reader.batch();
    expect(events.map(({ type }) => type)).toEqual([EventType.BOOKMARK]);
    expect(resumeToken).not.toBe("");
    reader.close();
  });

  test("refuses a token it cannot serve, with reason and field", async () => {
    const error = await failure(new Reader(client, { resumeToken: "nonsense" }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.findDetails(ErrorDetailSchema)).toMatchObject([{ reason: "MALFORMED_TOKEN", field: "resume_token" }]);
    const both = await failure(new Reader(client, { resumeToken: "x", sendInitialState: true }));
    expect(both.code).toBe(Code.InvalidArgument);
    const selector = await failure(new Reader(client, { filter: { labelSelector: "a" } }));
    expect(selector.findDetails(ErrorDetailSchema)).toMatchObject([
      { reason: "INVALID_FIELD", field: "label_selector" },
    ]);
  });

  test("a deadline ends a watch with an error, not as if all had been sent", async () => {
    const call = client.watchResources({}, { timeoutMs: 300 });
    const end = (async () => {
      for await (const _ of call);
      return "a quiet end";
    })();
    await expect(end).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  });

  test("a watch is released when its client leaves", async () => {
    const watchers = async () => (await server.metrics.watchers.get()).values[0]?.value;
    await until(async () => (await watchers()) === 0);
    const reader = new Reader(client, {});
    await reader.batch();
    expect(await watchers()).toBe(1);
    reader.close();
    await until(async () => (await watchers()) === 0, { what: "the watcher is gone" });
  });
});

test("shutting down ends a watch with an error that says so", async () => {
  const own = await startServer();
  const reader = new Reader(createClient(ResourceService, createGrpcTransport({ baseUrl: own.url })), {});
  await reader.batch();
  const end = failure(reader);
  await own.stop();
  const error = await end;
  expect(error.code).toBe(Code.Unavailable);
  expect(error.findDetails(ErrorDetailSchema)).toMatchObject([{ reason: "SHUTTING_DOWN" }]);
  expect(error.metadata.get("retry-after")).toBe("1");
});

test.each(["1.1", "2"] as const)("a stuck reader that vanishes releases its watch (HTTP/%s)", async (httpVersion) => {
  const watchers = async () => (await server.metrics.watchers.get()).values[0]?.value;
  await until(async () => (await watchers()) === 0);
  const client = createClient(ResourceService, createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" }));
  const streams = (await import("node:http")).request;
  const body = Buffer.from([0, 0, 0, 0, 2, 0x7b, 0x7d]);
  const path = "/reconcile.v1.ResourceService/WatchResources";
  const headers = { "content-type": "application/connect+json" };
  let vanish: () => void;
  if (httpVersion === "2") {
    const session = connectHttp2(server.url);
    session.on("error", () => {});
    const stream = session.request({ ":method": "POST", ":path": path, ...headers });
    stream.on("error", () => {});
    stream.end(body);
    vanish = () => session.destroy();
  } else {
    const request = streams({ host: server.host, port: server.port, path, method: "POST", headers });
    request.on("error", () => {});
    request.on("response", (response) => response.pause());
    request.end(body);
    vanish = () => request.destroy();
  }
  await until(async () => (await watchers()) === 1);
  for (let i = 0; i < 24; i++) {
    const key = { resourceGroup: `stuck${httpVersion}`, kind: "k", namespace: "n", name: `r${i}` };
    await client.createResource({ resource: { key, shardId: "s", specJson: JSON.stringify("x".repeat(500_000)) } });
  }
  vanish();
  await until(async () => (await watchers()) === 0, { what: "the watcher is gone" });
  const open = (await server.metrics.requestsInFlight.get()).values.reduce((sum, { value }) => sum + value, 0);
  expect(open).toBe(0);
});
