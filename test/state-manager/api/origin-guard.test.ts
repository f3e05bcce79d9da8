import { describe, expect, test } from "vitest";
import { OriginGuard } from "../../../src/state-manager/api/origin-guard.js";

describe("on a loopback address", () => {
  const guard = new OriginGuard("127.0.0.1", []);
  const refuses = (host: string) => guard.refusal({ method: "GET", headers: { host } }) !== undefined;

  test.each(["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:80", "127.8.9.1:1", "[::1]", "[::1]:8080"])(
    "answers %s",
    (host) => {
      expect(refuses(host)).toBe(false);
      expect(refuses(host)).toBe(false);
    },
  );

  test.each([
    "example.com",
    "localhost.example.com",
    "127.0.0.1.example.com",
    "example.com:8080",
    "10.0.0.1",
    "0.0.0.0",
    "[::2]:1",
    "128.0.0.1",
    "",
    "localhost:8080@example.com",
  ])("refuses the host %j, whatever the method", (host) => {
    expect(refuses(host)).toBe(true);
  });

  test("refuses a page whose name was rebound to this machine, although it is of the same origin for its browser", () => {
    const headers = { host: "evil.example:8080", origin: "http://evil.example:8080", "sec-fetch-site": "same-origin" };
    for (const method of ["GET", "POST"]) expect(guard.refusal({ method, headers })?.message).toContain("evil.example");
  });

  test("reads :authority over HTTP/2, and lets HTTP/1.0 without Host pass", () => {
    expect(guard.refusal({ method: "POST", headers: { ":authority": "evil.example" } })?.reason).toBe("CROSS_SITE");
    expect(guard.refusal({ method: "POST", headers: { ":authority": "localhost:1" } })).toBeUndefined();
    expect(guard.refusal({ method: "GET", headers: {} })).toBeUndefined();
  });
});

test("on another address it answers every host", () => {
  expect(new OriginGuard("0.0.0.0", []).refusal({ method: "GET", headers: { host: "example.com" } })).toBeUndefined();
});

describe("writes", () => {
  const guard = new OriginGuard("0.0.0.0", ["https://console.example"]);
  const isRefused = (headers: Record<string, string>, method = "POST") =>
    guard.refusal({ method, headers: { host: "api.example:8080", ...headers } }) !== undefined;

  test.each<[string, Record<string, string>, boolean]>([
    ["no origin, as from curl", {}, false],
    ["the same origin", { origin: "http://api.example:8080" }, false],
    ["the same origin behind TLS", { origin: "https://api.example", host: "api.example" }, false],
    [
      "the same origin with its default port written out",
      { origin: "https://api.example", host: "API.example:443" },
      false,
    ],
    ["a listed origin", { origin: "https://console.example", "sec-fetch-site": "cross-site" }, false],
    ["another port", { origin: "http://api.example:3000", "sec-fetch-site": "same-site" }, true],
    ["another site", { origin: "https://evil.example" }, true],
    ["an opaque origin", { origin: "null" }, true],
    ["no origin but cross-site", { "sec-fetch-site": "cross-site" }, true],
    ["a user's own navigation", { "sec-fetch-site": "none" }, false],
    [
      "the same origin by the browser's word, through a proxy that does not forward Host",
      { origin: "https://ui.example", host: "10.0.0.7:8080", "sec-fetch-site": "same-origin" },
      false,
    ],
    [
      "the same through a browser without fetch metadata",
      { origin: "https://ui.example", host: "10.0.0.7:8080" },
      true,
    ],
    [
      "a page of another subdomain that looks the same through its proxy",
      { origin: "http://api.example:8080", "sec-fetch-site": "same-site" },
      true,
    ],
    ["no origin but same-site", { "sec-fetch-site": "same-site" }, true],
    [
      "a value of the metadata that nobody knows",
      { origin: "http://api.example:8080", "sec-fetch-site": "same-planet" },
      true,
    ],
  ])("%s: refused is %o", (_what, headers, refused) => {
    expect(isRefused(headers)).toBe(refused);
  });

  test("a refusal says what to do", () => {
    const headers = { host: "10.0.0.7", origin: "https://ui.example" };
    expect(guard.refusal({ method: "PUT", headers })?.message).toBe(
      'a write from origin "https://ui.example" to host "10.0.0.7" is refused: list "https://ui.example" in CORS_ALLOWED_ORIGINS to allow it; a proxy must forward Host',
    );
  });

  test("only GET, HEAD and OPTIONS are no writes", () => {
    const foreign = { origin: "https://evil.example" };
    for (const method of ["GET", "HEAD", "OPTIONS"]) expect(isRefused(foreign, method)).toBe(false);
    for (const method of ["PUT", "PATCH", "DELETE", "QUERY"]) expect(isRefused(foreign, method)).toBe(true);
  });
});

describe("CORS", () => {
  const headers = { host: "api.example", origin: "https://console.example" };

  test("grants listed origins only, what browsers need for every protocol", () => {
    const guard = new OriginGuard("0.0.0.0", ["https://console.example"]);
    expect(
      guard.corsHeaders({ method: "GET", headers: { ...headers, origin: "https://evil.example" } }),
    ).toBeUndefined();
    expect(guard.corsHeaders({ method: "GET", headers: { host: "api.example" } })).toBeUndefined();
    const granted = guard.corsHeaders({ method: "GET", headers });
    expect(granted).toMatchObject({ "access-control-allow-origin": "https://console.example", vary: "Origin" });
    expect(granted?.["access-control-expose-headers"]).toContain("Next-Page-Token");
    expect(granted?.["access-control-expose-headers"]).toContain("Grpc-Status");
  });

  test("answers a preflight with methods and headers", () => {
    const preflight = new OriginGuard("0.0.0.0", ["*"]).corsHeaders({ method: "OPTIONS", headers });
    for (const name of [
      "Content-Type",
      "Authorization",
      "X-Requested-With",
      "Last-Event-ID",
      "Connect-Protocol-Version",
      "X-Grpc-Web",
    ]) {
      expect(preflight?.["access-control-allow-headers"]).toContain(name);
    }
    expect(preflight?.["access-control-allow-methods"]).toBe("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  });
});
