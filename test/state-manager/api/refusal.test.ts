import { request } from "node:http";
import { connect } from "node:net";
import { Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ServerReflection } from "../../../gen/grpc/reflection/v1/reflection_pb.js";
import { ErrorDetailSchema } from "../../../gen/reconcile/v1/error_pb.js";
import { ResourceService } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { type StubApi, startStubApi } from "./stub-api.js";

const UNARY = "/reconcile.v1.ResourceService/GetResource";
const STREAM = "/reconcile.v1.ResourceService/WatchResources";

let api: StubApi;
/** Takes no call at all, and no body of more than a few bytes. */
let full: StubApi;
beforeAll(async () => {
  api = await startStubApi();
  full = await startStubApi({ config: { limits: { maxCallsInFlight: 0, maxOpenStreams: 0 }, maxBodyBytes: 64 } });
});
afterAll(() => Promise.all([api.close(0), full.close(0)]));

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers: NodeJS.Dict<string | string[]>;
}

function send(method: string, path: string, headers: Record<string, string> = {}, body = ""): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port: api.port, method, path, headers }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      const { statusCode: status = 0, headers } = response;
      resolve({ status, type: headers["content-type"] ?? "", body: text, headers });
    });
    sent.on("error", reject).end(body);
  });
}

/** What @grpc/grpc-js makes of a call with an empty message. */
function overGrpcJs(path: string, options: Record<string, string> = {}, server = api): Promise<ServiceError> {
  const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure(), options);
  const bytes = (buffer: Buffer) => buffer;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, bytes, bytes, Buffer.alloc(0), (error) => {
      client.close();
      if (error === null) reject(new Error("answered"));
      else resolve(error);
    });
  });
}

const REFUSED = 'host "rebound.example" is refused: this server answers on loopback names only; use localhost';

describe("the host guard's 403 is", () => {
  const host = "rebound.example";

  test("an error of Connect on a path of an RPC, with its code, message and reason", async () => {
    for (const [method, path] of [
      ["POST", UNARY],
      ["GET", `${UNARY}?encoding=json&message=%7B%7D`],
    ] as const) {
      const { status, type, body } = await send(method, path, { host, "content-type": "application/json" }, "{}");
      expect([status, type]).toEqual([403, "application/json"]);
      expect(JSON.parse(body)).toMatchObject({
        code: "permission_denied",
        message: REFUSED,
        details: [{ type: "reconcile.v1.ErrorDetail" }],
      });
    }
  });

  test("a trailer of gRPC, which @grpc/grpc-js prints", async () => {
    expect(await overGrpcJs(UNARY, { "grpc.default_authority": host })).toMatchObject({ code: 7, details: REFUSED });
  });

  test("the dialect's JSON under /api/, also for a browser", async () => {
    const { status, body } = await send("GET", "/api/v1/resources", { host, accept: "text/html" });
    expect([status, JSON.parse(body)]).toEqual([403, { error: REFUSED }]);
  });

  test("a page where a browser opens an address", async () => {
    const { status, type, body } = await send("GET", "/resources", { host: 'a"<b>', accept: "text/html,*/*" });
    expect([status, type]).toEqual([403, "text/html; charset=utf-8"]);
    expect(body).toContain("host &#34;a\\&#34;&#60;b&#62;&#34; is refused");
  });
});

describe("a write that a foreign page caused is refused in the form of", () => {
  const foreign: Interceptor = (next) => (call) => {
    call.header.set("sec-fetch-site", "cross-site");
    return next(call);
  };

  test.each(["connect", "connect, binary", "grpc", "grpc-web"])("%s, calls and streams", async (protocol) => {
    const options = { baseUrl: api.url, interceptors: [foreign] };
    const transports: Readonly<Record<string, () => Transport>> = {
      connect: () => createConnectTransport({ ...options, httpVersion: "1.1", useBinaryFormat: false }),
      "connect, binary": () => createConnectTransport({ ...options, httpVersion: "2" }),
      grpc: () => createGrpcTransport(options),
      "grpc-web": () => createGrpcWebTransport({ ...options, httpVersion: "1.1" }),
    };
    const transport = transports[protocol]?.();
    if (transport === undefined) throw new Error(`no transport for ${protocol}`);
    const client = createClient(ResourceService, transport);
    const calls = [() => client.getResource({}), () => client.watchResources({})[Symbol.asyncIterator]().next()];
    for (const call of calls) {
      const error = ConnectError.from(await call().catch((reason: unknown) => reason));
      expect(error.rawMessage).toMatch(/^a write from a page of another origin is refused: /);
      expect(error.code).toBe(Code.PermissionDenied);
      expect(error.findDetails(ErrorDetailSchema)).toMatchObject([{ reason: "CROSS_SITE" }]);
    }
  });
});

describe("what is not there", () => {
  test("/lost is a page for a browser and JSON for curl", async () => {
    const page = await send("GET", "/lost", { accept: "text/html,application/xhtml+xml,*/*;q=0.8" });
    expect([page.status, page.type]).toEqual([404, "text/html; charset=utf-8"]);
    expect(page.body).toContain("there is no path /lost");
    const json = await send("GET", "/lost", { accept: "*/*" });
    expect([json.status, json.type]).toEqual([404, "application/json"]);
    expect(JSON.parse(json.body).error).toMatch(/^there is no path \/lost;/);
  });

  test("a page shows a path as text", async () => {
    const { body } = await send("GET", "/<script>alert(1)</script>", { accept: "text/html" });
    expect(body).not.toContain("<script>");
  });

  test("an RPC that is not there is UNIMPLEMENTED", async () => {
    const path = "/reconcile.v1.ResourceService/Nothing";
    expect(await overGrpcJs(path)).toMatchObject({ code: 12, details: expect.stringContaining(path) });
    const { status, body } = await send("POST", path, { "content-type": "application/json" }, "{}");
    expect([status, JSON.parse(body).code]).toEqual([404, "unimplemented"]);
    expect(await overGrpcJs("/lost")).toMatchObject({ code: 12 });
  });
});

describe("what an RPC does not take", () => {
  test("another method is 405 with Allow", async () => {
    const put = await send("PUT", UNARY, { "content-type": "application/json" }, "{}");
    expect([put.status, put.headers.allow]).toEqual([405, "GET, POST"]);
    expect(JSON.parse(put.body)).toMatchObject({
      code: "unimplemented",
      message: `PUT is not supported on ${UNARY}; use GET or POST`,
    });
    const page = await send("GET", STREAM, { accept: "text/html" });
    expect([page.status, page.type, page.headers.allow]).toEqual([405, "text/html; charset=utf-8", "POST"]);
  });

  test("another content type is 415, and named", async () => {
    const { status, body } = await send("POST", UNARY, { "content-type": "text/plain" }, "{}");
    expect(status).toBe(415);
    expect(JSON.parse(body)).toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining('content type "text/plain" is not supported'),
    });
  });

  test("a codec of gRPC that nobody knows is an error of gRPC", async () => {
    const { status, headers } = await send("POST", UNARY, { "content-type": "application/grpc-web-text" }, "");
    expect([status, headers["grpc-status"], headers["grpc-message"]]).toEqual([
      200,
      "3",
      expect.stringContaining('content type "application/grpc-web-text" is not supported'),
    ]);
  });

  test("streams in both directions over HTTP/1.1", async () => {
    const path = `/${ServerReflection.typeName}/ServerReflectionInfo`;
    const { body } = await send("POST", path, { "content-type": "application/connect+json" }, "");
    expect(body).toContain('"unimplemented"');
    expect(body).toContain("needs HTTP/2");
  });

  test("a compression that nobody knows is UNIMPLEMENTED, and those that are known are named", async () => {
    const headers = { "content-type": "application/json", "content-encoding": "br" };
    const { status, body, headers: answered } = await send("POST", UNARY, headers, "{}");
    expect([status, JSON.parse(body).code, answered["accept-encoding"]]).toEqual([501, "unimplemented", "gzip"]);
    expect(JSON.parse(body).message).toContain('"br"');
  });
});

test("a server that is full says so in the form of each protocol, with advice", async () => {
  expect(await overGrpcJs(UNARY, {}, full)).toMatchObject({
    code: 8,
    details: "the server answers 0 calls at once already: retry later",
  });
  const call = (path: string, headers: Record<string, string>, body?: string) =>
    fetch(full.url + path, { headers, ...(body !== undefined && { method: "POST", body }) });
  const rest = await call("/api/v1/kinds", {});
  expect([rest.status, rest.headers.get("retry-after")]).toEqual([429, "1"]);
  expect(await rest.json()).toEqual({ error: "the server answers 0 calls at once already: retry later" });
  const connectCall = await call(UNARY, { "content-type": "application/json" }, "{}");
  expect([connectCall.status, connectCall.headers.get("retry-after")]).toEqual([429, "1"]);
  expect(await connectCall.json()).toMatchObject({ code: "resource_exhausted" });
  const stream = createClient(ResourceService, createGrpcWebTransport({ baseUrl: full.url, httpVersion: "1.1" }));
  await expect(stream.watchResources({})[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: Code.ResourceExhausted,
    rawMessage: "the server answers 0 streams at once already: retry later",
  });
});

test("a body that is too large is refused in the form of each protocol", async () => {
  const client = (transport: ReturnType<typeof createGrpcTransport>) => createClient(ResourceService, transport);
  const large = { key: { name: "x".repeat(200) } };
  for (const transport of [
    createGrpcTransport({ baseUrl: full.url }),
    createConnectTransport({ baseUrl: full.url, httpVersion: "1.1" }),
    createGrpcWebTransport({ baseUrl: full.url, httpVersion: "1.1" }),
  ]) {
    await expect(client(transport).getResource(large)).rejects.toMatchObject({ code: Code.ResourceExhausted });
  }
});

describe("what never becomes a request is answered with an error of REST and Connect in one", () => {
  function raw(bytes: string): Promise<string> {
    return new Promise((resolve) => {
      let text = "";
      const socket = connect(api.port, "127.0.0.1", () => socket.write(bytes));
      socket.on("data", (chunk) => {
        text += chunk;
      });
      socket.on("close", () => resolve(text)).on("error", () => {});
    });
  }

  test.each([
    [
      "headers that are too large",
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
      431,
      "resource_exhausted",
    ],
    ["no HTTP", "EHLO example\r\n\r\n", 400, "invalid_argument"],
  ])("%s", async (_what, bytes, status, code) => {
    const [head = "", body = ""] = (await raw(bytes)).split("\r\n\r\n");
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const error = JSON.parse(body);
    expect(error).toEqual({ error: error.message, code, message: expect.stringMatching(/; /) });
  });
});
