import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { type AnyRequestListener, OnePort, type OnePortOptions } from "../../../src/state-manager/api/one-port.js";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const ports: OnePort[] = [];
const sockets: Socket[] = [];

const echo = ((req: Parameters<AnyRequestListener>[0], res: Parameters<AnyRequestListener>[1]) => {
  const chunks: Buffer[] = [];
  req.on("data", (chunk: Buffer) => chunks.push(chunk));
  req.on("end", () => res.end(`${req.httpVersion} ${Buffer.concat(chunks).length}`));
}) as AnyRequestListener;

async function open(options?: OnePortOptions, listener: AnyRequestListener = echo): Promise<[number, OnePort]> {
  const port = new OnePort(listener, options);
  ports.push(port);
  return [await port.listen(0, "127.0.0.1"), port];
}

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  sockets.push(socket);
  await once(socket, "connect");
  return socket;
}

function allOf(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("close", () => resolve(Buffer.concat(chunks)));
  });
}

async function overHttp2(port: number, body = ""): Promise<string> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const stream = session.request({ ":method": "POST", ":path": "/" });
  stream.end(body);
  let text = "";
  for await (const chunk of stream) text += chunk;
  session.close();
  return text;
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(ports.splice(0).map((port) => port.close(100)));
});

test("serves HTTP/1.1 and HTTP/2 with bodies of megabytes", async () => {
  const [port] = await open();
  const body = "x".repeat(3 << 20);
  expect(await (await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body })).text()).toBe(`1.1 ${body.length}`);
  expect(await overHttp2(port, body)).toBe(`2.0 ${body.length}`);
});

test("recognises a preface and a request that arrive byte by byte", async () => {
  const [port] = await open();
  const second = await dial(port);
  const answer = once(second, "data");
  for (const byte of Buffer.concat([Buffer.from(PREFACE), EMPTY_SETTINGS])) second.write(Buffer.of(byte));
  // A SETTINGS frame comes back: three bytes of length, then type 4.
  expect(((await answer)[0] as Buffer)[3]).toBe(4);
  const first = await dial(port);
  const reply = once(first, "data");
  for (const byte of Buffer.from("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"))
    first.write(Buffer.of(byte));
  expect(String((await reply)[0])).toContain("1.1 2");
});

test("drops a connection that stays silent or stops inside the preface", async () => {
  const [port] = await open({ sniffTimeoutMs: 60 });
  const silent = await dial(port);
  const half = await dial(port);
  half.write(PREFACE.slice(0, 7));
  expect((await Promise.all([allOf(silent), allOf(half)])).map((bytes) => bytes.length)).toEqual([0, 0]);
});

/** What the kernel grants a listen queue at most; 0 where it does not say. */
function listenQueueMax(): number {
  try {
    return Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8"));
  } catch {
    return 0;
  }
}

test.skipIf(listenQueueMax() < 1_000)(
  "1,000 clients that connect at once are all connected before any is accepted",
  async () => {
    const [port] = await open();
    let connected = 0;
    for (let i = 0; i < 1_000; i++) {
      const socket = connect(port, "127.0.0.1", () => {
        connected += 1;
      });
      sockets.push(socket);
    }
    // Fewer turns than a full queue would let in, and less than the second after which the kernel tries a refused one again.
    for (let i = 0; i < 50; i++) await turn();
    expect(connected).toBe(1_000);
  },
);

test("answers a connection past the limit with 503 or GOAWAY, never with a reset, and serves again when one is gone", async () => {
  const [port] = await open({ maxConnections: 1 });
  const first = await dial(port);
  first.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await once(first, "data");
  const answer = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: "x".repeat(100_000) });
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
  const message = expect.stringMatching(/^the server holds 1 connections already, which is its limit: retry later/);
  expect(await answer.json()).toEqual({ error: message, code: "resource_exhausted", message });
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  const [code, lastStream, text] = await once(session, "goaway");
  expect([code, lastStream, String(text)]).toEqual([0xb, 0, message]);
  session.destroy();
  first.destroy();
  await expect.poll(async () => (await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
});

test("answers 408 to headers that never end", async () => {
  const [port] = await open({ headersTimeoutMs: 200 });
  const slow = await dial(port);
  slow.write("GET / HTTP/1.1\r\nHost: a\r\n");
  expect(String(await allOf(slow))).toContain("408");
});

test("answers 400 to a TLS hello", async () => {
  const [port] = await open();
  const tls = await dial(port);
  tls.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]));
  expect(String(await allOf(tls))).toContain("400");
});

test("writes no refusal into the middle of another answer", async () => {
  const begin = (_req: unknown, res: { write(text: string): unknown }) => void res.write("begun");
  const [port] = await open({}, begin as AnyRequestListener);
  const socket = await dial(port);
  const all = allOf(socket);
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await once(socket, "data");
  socket.write("EHLO\r\n\r\n");
  expect(String(await all)).toMatch(/begun\r\n$/);
});

test("lets a running answer finish on close, says GOAWAY, and refuses new connections", async () => {
  const waiting: (() => void)[] = [];
  const [port, onePort] = await open({}, ((_req, res) => {
    waiting.push(() => res.end("done"));
  }) as AnyRequestListener);
  const first = request({ port, host: "127.0.0.1", agent: false }).end();
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const stream = session.request({ ":path": "/" });
  const goaway = once(session, "goaway");
  await expect.poll(() => waiting.length).toBe(2);
  const closed = onePort.close(5_000);
  await goaway;
  for (const finish of waiting) finish();
  const [answer] = await once(first, "response");
  expect(answer.statusCode).toBe(200);
  answer.resume();
  let text = "";
  for await (const chunk of stream) text += chunk;
  expect(text).toBe("done");
  await closed;
  const refused = connect(port, "127.0.0.1");
  expect((await once(refused, "error"))[0].code).toBe("ECONNREFUSED");
});

test("cuts an HTTP/2 client that never reads its answer and never closes", async () => {
  const [port, onePort] = await open();
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  const stream = session.request({ ":path": "/" });
  await once(stream, "response");
  await onePort.close(50);
  session.destroy();
});

test("cuts what does not finish within the grace, and closes twice safely", async () => {
  const [port, onePort] = await open({}, (() => {}) as AnyRequestListener);
  const hanging = request({ port, host: "127.0.0.1", agent: false }).end();
  const cut = once(hanging, "error");
  await once(hanging, "socket");
  await expect.poll(() => hanging.socket?.bytesWritten ?? 0).toBeGreaterThan(0);
  await Promise.all([onePort.close(50), onePort.close(50)]);
  expect((await cut)[0].code).toBe("ECONNRESET");
});

test("drops an HTTP/2 peer that does not answer pings", async () => {
  const [port] = await open({ pingIntervalMs: 50, pingTimeoutMs: 50 });
  const dead = await dial(port);
  const closed = allOf(dead);
  dead.write(PREFACE);
  dead.write(EMPTY_SETTINGS);
  expect((await closed).length).toBeGreaterThan(0);
});
