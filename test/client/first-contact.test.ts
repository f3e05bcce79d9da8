import { createServer as createHttp1 } from "node:http";
import { createServer as createHttp2, createSecureServer } from "node:http2";
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from "node:net";
import { pino } from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { type ApiError, createResourceClient } from "../../src/client/index.js";
import { readServerUrl } from "../../src/client/server-url.js";
import { runControlLoop } from "../../src/controlloop/control-loop.js";
import { defineReconciler } from "../../src/controlloop/reconciler.js";
import { done } from "../../src/controlloop/result.js";
import { freePort } from "../../src/shared/free-port.js";
import { TLS_IDENTITY } from "../support/tls-identity.js";
import { until } from "../support/until.js";

/** What a state-manager says of the empty key, in a call that the client uses to know one. */
const REFUSAL = JSON.stringify({
  code: "invalid_argument",
  message: "resource_group must not be empty",
  details: [{ type: "reconcile.v1.ErrorDetail", value: "Cg1JTlZBTElEX0ZJRUxEEg5yZXNvdXJjZV9ncm91cA" }],
});

/** Lets a server listen until the test is over; answers with its port. */
async function listen(server: Pick<Server, "listen" | "close" | "address" | "on">): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => void sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port; // a TCP port was asked for
}

function tcp(onConnection: (socket: Socket) => void) {
  return createTcp((socket) => {
    socket.on("error", () => {});
    onConnection(socket);
  });
}

/** The error of a first call, of a client that does not wait for a server. */
async function firstError(address: string, waitsForServer = false): Promise<ApiError> {
  const client = createResourceClient(address, { waitsForServer, timeoutMs: 20_000 });
  onTestFinished(() => client.close());
  return await client.kinds().then(
    () => expect.fail("a call succeeded"),
    (error: ApiError) => error,
  );
}

describe("the first call of a client", () => {
  it.each<[string, string, Parameters<typeof listen>[0], string]>([
    [
      "another program over HTTP/1.1",
      "http:",
      createHttp1((_, response) => response.end("<h1>hello</h1>")),
      'SERVER is another program than the state-manager (it answers HTTP 200 "hello"): name the state-manager\'s address',
    ],
    [
      "another program over HTTP/2",
      "http:",
      createHttp2((_, response) => response.writeHead(404).end()),
      "SERVER is another program than the state-manager (it answers HTTP 404): name the state-manager's address",
    ],
    [
      "a proxy that speaks HTTP/1.1",
      "http:",
      createHttp1((_, response) => response.writeHead(400).end(REFUSAL)),
      "SERVER speaks HTTP/1.1 only, so it is a proxy in front of the state-manager: name the state-manager itself, or let the proxy speak HTTP/2",
    ],
    [
      "something that is no HTTP server",
      "http:",
      tcp((socket) => socket.write("SSH-2.0-Some\x1b[2J\r\n")),
      'SERVER is no HTTP server (it says "SSH-2.0-Some\\u001b[2J"): name the state-manager\'s address',
    ],
    [
      "what refuses it",
      "http:",
      createHttp2((_, response) => response.writeHead(403).end('{"error":"host \\"x\\" is refused"}')),
      'SERVER refuses this client: HTTP 403 "host \\"x\\" is refused"',
    ],
    [
      "TLS spoken to in plain",
      "http:",
      createSecureServer({ ...TLS_IDENTITY, allowHTTP1: true }),
      "SERVER speaks TLS: name it https://127.0.0.1:PORT",
    ],
    [
      "plain HTTP spoken to with TLS",
      "https:",
      createHttp1((_, response) => response.end()),
      "SERVER speaks no TLS: name it http://127.0.0.1:PORT",
    ],
    [
      "a certificate that nobody trusts",
      "https:",
      createSecureServer(TLS_IDENTITY),
      "the certificate of SERVER is refused (self-signed certificate): let NODE_EXTRA_CA_CERTS name a file with the certificate of who signed it",
    ],
  ])("says in a sentence that there is %s, within 5 s, and is not tried again", async (_, scheme, server, words) => {
    const port = await listen(server);
    const startedAt = performance.now();
    const { message, reason, code } = await firstError(`${scheme}//127.0.0.1:${port}`, true);
    expect(message).toBe(words.replace("SERVER", `${scheme}//127.0.0.1:${port}`).replace("PORT", String(port)));
    expect({ reason, code }).toEqual({ reason: "WRONG_SERVER", code: "FAILED_PRECONDITION" });
    expect(performance.now() - startedAt).toBeLessThan(15_000); // much less than a timeout, on a busy machine
  });

  it.each<[string, Parameters<typeof listen>[0], string]>([
    ["takes connections and is silent", tcp(() => {}), "connections are taken there, and no call answered"],
    ["speaks HTTP/2 and answers no call", createHttp2(() => {}), "HTTP/2 is spoken there, and no call answered"],
    [
      "closes every connection",
      tcp((socket) => socket.destroy()),
      "connections are taken there and closed (ECONNRESET)",
    ],
    [
      "is a proxy without a server behind it",
      createHttp2((_, response) => response.writeHead(502).end("<title>Bad Gateway</title>")),
      'a proxy answers there (HTTP 502 "Bad Gateway"), and not the server behind it',
    ],
  ])("fails for who does not wait for a server when what is there %s", async (_, server, words) => {
    const address = `http://127.0.0.1:${await listen(server)}`;
    const { message, reason } = await firstError(address);
    expect({ message, reason }).toEqual({ message: `no server answers at ${address}: ${words}`, reason: "NO_SERVER" });
  });

  it("tells a port where nothing listens from a host name that nobody knows", async () => {
    const address = `http://127.0.0.1:${await freePort()}`;
    expect((await firstError(address)).message).toBe(`no server answers at ${address} (ECONNREFUSED)`);
    expect((await firstError("http://nobody.invalid:1")).message).toMatch(
      /^no server answers at http:\/\/nobody\.invalid:1: its host name is not known \(E(NOTFOUND|AI_AGAIN)\)$/,
    );
  });

  it("says of a path prefix that the server is there without it", async () => {
    const server = createHttp2((request, response) => {
      if (request.url.startsWith("/reconcile.v1.")) response.writeHead(400).end(REFUSAL);
      else response.writeHead(404).end();
    });
    const origin = `http://127.0.0.1:${await listen(server)}`;
    expect((await firstError(`${origin}/api/`)).message).toBe(
      `the state-manager is at ${origin} and not at ${origin}/api (HTTP 404): leave the path /api out`,
    );
  });

  it("keeps the path under which a proxy has the server", async () => {
    const paths: string[] = [];
    const server = createHttp2(({ url }, response) => {
      paths.push(url);
      response.writeHead(400, { "content-type": "application/json" }).end(REFUSAL);
    });
    const { reason } = await firstError(`http://127.0.0.1:${await listen(server)}/api`);
    expect({ reason, paths }).toEqual({
      reason: "INVALID_FIELD",
      paths: ["/api/reconcile.v1.ResourceService/ListKinds"],
    });
  });

  it("waits for a server that is slow, and says status and host where an answer has no words", async () => {
    const server = createHttp2(({ url }, response) => {
      if (url.endsWith("/GetResource")) response.writeHead(400).end(REFUSAL);
      else setTimeout(() => response.writeHead(403, { "content-type": "application/json" }).end("{}"), 1_500);
    });
    const port = await listen(server);
    expect(await firstError(`http://127.0.0.1:${port}`)).toMatchObject({
      code: "PERMISSION_DENIED",
      message: `127.0.0.1:${port} answered PermissionDenied and no message`,
    });
  });

  it("tries again for who waits for a server, until there is one", async () => {
    const port = await freePort();
    const client = createResourceClient(`http://127.0.0.1:${port}`);
    onTestFinished(() => client.close());
    const asked = client.kinds().catch((error: ApiError) => error);
    const server = createHttp2((_, response) => {
      response.writeHead(400, { "content-type": "application/json" }).end(REFUSAL);
    });
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    expect(await asked).toMatchObject({ reason: "INVALID_FIELD" });
  });
});

describe("readServerUrl", () => {
  it.each<[string, string]>([
    ["http://h/?a=b", "the server's address must not have a query in it; write http://h"],
    ["http://h/p/#x", "the server's address must not have a fragment in it; write http://h/p"],
    ["http://me:secret@h:1", "the server's address must not have a user in it; write http://h:1"],
    ["ftp://h", "the server must be an address such as http://127.0.0.1:8080 (got ftp://h)"],
    ["h:8080", "the server must be an address such as http://127.0.0.1:8080 (got h:8080)"],
  ])("refuses %s", (text, words) => {
    expect(() => readServerUrl(text)).toThrow(new Error(words));
    expect(() => createResourceClient(text)).toThrow(new Error(words));
  });
});

it("runControlLoop goes on and says what is at the address, instead of ending the process with a stack trace", async () => {
  const port = await listen(createHttp1((_, response) => response.end("hello")));
  const lines: string[] = [];
  const loop = runControlLoop({
    serverUrl: `http://127.0.0.1:${port}`,
    reconcilers: [defineReconciler({ name: "r", resourceGroup: "g", kind: "k", reconcile: async () => done() })],
    logger: pino({}, { write: (line) => void lines.push(line) }),
  });
  onTestFinished(() => loop.stop());
  await until(() => lines.length >= 3);
  for (const line of lines) {
    expect(JSON.parse(line)).toMatchObject({
      reason: "WRONG_SERVER",
      error: expect.stringContaining(`http://127.0.0.1:${port} is another program than the state-manager`),
      msg: "not registered yet",
    });
  }
});
