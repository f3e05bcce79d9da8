import { connect } from "node:http2";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PAGES } from "../../../web/src/shell/pages.js";
import { startServer, type TestServer } from "../../support/server.js";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

test.each(Object.values(PAGES))("%s is the document, which is asked for every time", async (path) => {
  const answer = await fetch(`${server.url}${path}?kind=website`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(answer.headers.get("cache-control")).toBe("no-cache");
  expect(await answer.text()).toContain('<div id="root">');
});

test("forbids everything that does not come from here", async () => {
  const policy = (await fetch(server.url)).headers.get("content-security-policy");
  expect(policy).toContain(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'",
  );
  expect(policy).not.toMatch(/\*|http|data:/);
});

test("assets are compressed, and kept for good", async () => {
  const path = await scriptPath();
  const plain = Buffer.from(
    await (await fetch(server.url + path, { headers: { "accept-encoding": "identity" } })).arrayBuffer(),
  );
  for (const [coding, decode] of [
    ["br", brotliDecompressSync],
    ["gzip", gunzipSync],
  ] as const) {
    const { headers, body } = await request(path, { "accept-encoding": coding });
    expect(headers["content-encoding"]).toBe(coding);
    expect(headers["cache-control"]).toContain("immutable");
    expect(headers["content-type"]).toBe("text/javascript; charset=utf-8");
    expect(decode(body).equals(plain)).toBe(true);
  }
});

test("is there over HTTP/2 too, and HEAD has no body", async () => {
  expect((await request("/", {})).body.toString()).toContain('<div id="root">');
  const { headers, body } = await request("/", { ":method": "HEAD" });
  expect(Number(headers["content-length"])).toBeGreaterThan(100);
  expect(body.length).toBe(0);
});

test("leaves every other path and method to the API's own answers", async () => {
  for (const path of ["/assets/none.js", "/assets/..%2findex.html", "/resources/x", "/index.html"]) {
    const answer = await fetch(server.url + path);
    expect([path, answer.status]).toEqual([path, 404]);
    expect(await answer.json()).toHaveProperty("error");
  }
  expect((await fetch(server.url, { method: "POST" })).status).toBe(405);
});

async function scriptPath(): Promise<string> {
  const path = /src="(\/assets\/[^"]+\.js)"/.exec(await (await fetch(server.url)).text())?.[1];
  if (path === undefined) throw new Error("the document names no script");
  return path;
}

/** By HTTP/2, whose client undoes no coding. */
async function request(path: string, headers: Record<string, string>) {
  const session = connect(server.url);
  try {
    const stream = session.request({ ":path": path, ...headers });
    const answer = new Promise<Record<string, unknown>>((resolve) => stream.once("response", resolve));
    return { headers: await answer, body: Buffer.concat(await stream.toArray()) };
  } finally {
    session.close();
  }
}
