import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../../gen/grpc/health/v1/health_pb.js";
import { ResourceService } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { startPostgres } from "../../support/postgres.js";
import { startServer, type TestServer } from "../../support/server.js";
import { until } from "../../support/until.js";

const ALLOWED = "https://console.example";
const COLLECTION = "/api/v1/groups/g/namespaces/n/kinds/k/resources";

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ config: { corsAllowedOrigins: [ALLOWED] } });
});
afterAll(() => server.stop());

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** With headers that fetch would not let us set. */
function send(method: string, path: string, headers: Record<string, string>, body = ""): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: server.host, port: server.port, method, path, headers }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
    });
    sent.on("error", reject).end(body);
  });
}

/** Raw bytes to the port; what comes back until it closes. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(server.port, server.host, () => socket.end(bytes));
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("close", () => resolve(text));
    socket.on("error", () => {});
  });
}

describe("a request from elsewhere", () => {
  const connectPath = "/reconcile.v1.ResourceService/ListResources";

  test.each(["/api/v1/resources", connectPath, "/health/live", "/metrics", "/nothing"])(
    "%s is refused under a name that is not loopback",
    async (path) => {
      const answer = await send("GET", path, { host: "rebound.example" });
      expect(answer.status).toBe(403);
      const { error, message } = JSON.parse(answer.body);
      expect(error ?? message).toMatch(/"rebound.example" is refused/);
    },
  );

  test("is refused over HTTP/2 too", async () => {
    const session = connectHttp2(server.url);
    const stream = session.request({ ":path": "/api/v1/resources", ":authority": "rebound.example" });
    const status = await new Promise((resolve) => stream.on("response", (headers) => resolve(headers[":status"])));
    session.close();
    expect(status).toBe(403);
  });

  test.each(["/api/v1/groups/g/namespaces/n/kinds/k/resources", connectPath, "/grpc.health.v1.Health/Check"])(
    "POST %s is refused from a foreign page, and stores nothing",
    async (path) => {
      const body = '{"name":"evil","shard_id":"s"}';
      const headers = { "content-type": "application/json" };
      expect((await send("POST", path, { ...headers, origin: "https://evil.example" }, body)).status).toBe(403);
      expect((await send("POST", path, { ...headers, "sec-fetch-site": "cross-site" }, body)).status).toBe(403);
      expect((await send("GET", `${COLLECTION}/evil`, {})).status).toBe(404);
    },
  );

  test("is answered with CORS headers only from a listed origin, errors and streams too", async () => {
    const origin = { origin: ALLOWED };
    const foreign = await send("GET", "/api/v1/resources", { origin: "https://evil.example" });
    expect(foreign.headers["access-control-allow-origin"]).toBeUndefined();
    for (const path of ["/api/v1/resources", "/api/v1/nothing", "/health/live", connectPath]) {
      expect((await send("GET", path, origin)).headers["access-control-allow-origin"]).toBe(ALLOWED);
    }
    const preflight = await send("OPTIONS", COLLECTION, { ...origin, "access-control-request-method": "PUT" });
    expect(preflight.status).toBe(204);
    expect(preflight.headers["access-control-allow-methods"]).toContain("PUT");
    expect(preflight.headers["access-control-allow-headers"]).toContain("Last-Event-ID");
    expect((await send("POST", COLLECTION, origin, '{"name":"cors","shard_id":"s"}')).status).toBe(201);
  });
});

describe("what is hardly HTTP", () => {
  test.each<[string, string, RegExp]>([
    ["a path that is no URL", "GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n", /^HTTP\/1\.1 404/],
    ["no Host in HTTP/1.1", "GET / HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400/],
    ["HTTP/1.0 without Host", "GET /health/live HTTP/1.0\r\n\r\n", /^HTTP\/1\.1 200/],
    [
      "an RPC without Host",
      "POST /grpc.health.v1.Health/Check HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
      /^HTTP\/1\.1 400/,
    ],
    [
      "a header that is too long",
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431/,
    ],
    ["an absolute URL", "GET http://localhost/health/live HTTP/1.1\r\nHost: other\r\n\r\n", /^HTTP\/1\.1 200/],
    [
      "an absolute URL without a path",
      "POST HTTP://localhost HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
      /POST is not supported on \/; use GET/,
    ],
    [
      "an absolute URL of another host",
      "GET http://rebound.example/api/v1/resources HTTP/1.1\r\nHost: localhost\r\n\r\n",
      /^HTTP\/1\.1 403/,
    ],
    [
      "an absolute URL that hides another host as a user",
      "GET http://localhost@rebound.example/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
      /^HTTP\/1\.1 403/,
    ],
  ])("%s", async (_what, bytes, answer) => {
    expect(await raw(bytes)).toMatch(answer);
    expect((await send("GET", "/health/live", {})).status).toBe(200);
  });

  test("an absolute URL reaches REST and RPC", async () => {
    const rest = await send("GET", "http://localhost/api/v1/resources?kind=none", { host: "other" });
    expect([rest.status, rest.body]).toEqual([200, "[]\n"]);
    const list = "reconcile.v1.ResourceService/ListResources?encoding=json&message=%7B%7D";
    expect(await send("GET", `http://localhost:1/${list}`, {})).toMatchObject({ status: 200 });
  });

  test("a client that leaves in the middle of its body leaves nothing behind", async () => {
    const before = await raw("GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    expect(before).toMatch(/200/);
    await raw(`POST ${COLLECTION} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"name"`);
    await until(async () => (await server.metrics.requestsInFlight.get()).values.every(({ value }) => value === 0));
  });
});

describe("operators' paths", () => {
  test("liveness and readiness", async () => {
    expect(await send("GET", "/health/live", {})).toMatchObject({ status: 200, body: '{"status":"live"}\n' });
    expect(await send("GET", "/health/ready", {})).toMatchObject({ status: 200, body: '{"status":"ready"}\n' });
    expect((await send("HEAD", "/health/ready", {})).status).toBe(200);
  });

  test("metrics count requests by protocol, method and code", async () => {
    await send("GET", `${COLLECTION}/none`, {});
    await createClient(ResourceService, createGrpcTransport({ baseUrl: server.url })).listResources({});
    const { headers, body } = await send("GET", "/metrics", {});
    expect(headers["content-type"]).toMatch(/^text\/plain/);
    expect(body).toMatch(
      /reconcile_request_duration_seconds_count\{protocol="rest",method="get",code="not_found"\} [1-9]/,
    );
    expect(body).toMatch(/_count\{protocol="grpc",method="reconcile.v1.ResourceService\/ListResources",code="ok"\} 1/);
    expect(body).toContain('reconcile_requests_in_flight{protocol="rest"} 0');
  });

  test("gRPC health answers for the server and its services, checks, lists and watches", async () => {
    const health = createClient(Health, createGrpcTransport({ baseUrl: server.url }));
    for (const service of ["", "reconcile.v1.ResourceService", "reconcile.v1.ReconcilerService"]) {
      expect((await health.check({ service })).status).toBe(Status.SERVING);
    }
    await expect(health.check({ service: "other" })).rejects.toMatchObject({ code: Code.NotFound });
    expect(Object.keys((await health.list({})).statuses)).toContain("reconcile.v1.ResourceService");
    for (const [service, status] of [
      ["", Status.SERVING],
      ["other", Status.SERVICE_UNKNOWN],
    ] as const) {
      const watch = health.watch({ service })[Symbol.asyncIterator]();
      expect((await watch.next()).value?.status).toBe(status);
      await watch.return?.();
    }
  });
});

test("without PostgreSQL calls fail with retry advice, readiness says what is down, and no secret is told", async () => {
  const postgres = await startPostgres();
  const own = await startServer({ databaseUrl: postgres.url });
  const client = createClient(ResourceService, createGrpcTransport({ baseUrl: own.url }));
  const get = () => fetch(`${own.url}${COLLECTION}/a`);
  expect((await get()).status).toBe(404);
  await postgres.stop("immediate");
  const answer = await get();
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
  const error = ConnectError.from(
    await client
      .getResource({ key: { resourceGroup: "g", kind: "k", namespace: "n", name: "a" } })
      .catch((reason: unknown) => reason),
  );
  expect([error.code, error.metadata.get("retry-after")]).toEqual([Code.Unavailable, "1"]);
  expect(((await answer.json()) as { error: string }).error).toBe(error.rawMessage);
  const ready = await until(async () => {
    const probe = await fetch(`${own.url}/health/ready`);
    return probe.status === 503 && ((await probe.json()) as { error: string; problems: string[] });
  });
  expect(ready.error).toMatch(/PostgreSQL/);
  const { username, password, port } = new URL(postgres.url);
  for (const secret of [password || "postgres://", `:${port}`])
    expect(ready.error + error.rawMessage).not.toContain(secret);
  expect(username).not.toBe("");
  expect((await fetch(`${own.url}/health/live`)).status).toBe(200);
  await postgres.start();
  await until(async () => (await get()).status === 404);
  await until(async () => (await fetch(`${own.url}/health/ready`)).status === 200);
  await own.stop();
  await postgres.remove();
});
