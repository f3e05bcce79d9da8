/** Programs nobody here wrote do the same round on the one port: create, get, list, watch. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumPath, launchChromium } from "../../support/chromium.js";
import { startServer, type TestServer } from "../../support/server.js";

const run = promisify(execFile);
let server: TestServer;
let allowedPage: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  allowedPage = await servePage();
  server = await startServer({ config: { corsAllowedOrigins: [allowedPage.origin] } });
});
afterAll(async () => {
  await server.stop();
  await allowedPage.stop();
});

/** An empty page on an origin of its own. */
async function servePage() {
  const page = createServer((_request, response) =>
    response.setHeader("content-type", "text/html").end("<title>page</title>"),
  );
  page.listen(0, "127.0.0.1");
  await once(page, "listening");
  const origin = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
  return { origin, stop: () => new Promise((resolve) => page.close(resolve)) };
}

/** Lines of a long-running program until it is stopped. */
function follow(file: string, args: readonly string[]) {
  // A group of its own: buf is a script that starts the program.
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "ignore"], detached: true });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async lineWith(text: string): Promise<string> {
      for (;;) {
        const { value, done } = await lines.next();
        if (done) throw new Error(`${file} ended before it wrote ${text}`);
        if (value.includes(text)) return value;
      }
    },
    stop: async () => {
      process.kill(-Number(child.pid), "SIGKILL");
      await once(child, "close");
    },
  };
}

describe("curl", () => {
  const path = () => `${server.url}/api/v1/groups/curl/namespaces/n/kinds/k/resources`;
  const curl = async (...args: string[]) => (await run("curl", ["-sS", "--fail-with-body", ...args])).stdout.trimEnd();

  test("creates, gets, lists and watches", async () => {
    const watch = follow("curl", ["-sSN", `${server.url}/api/v1/watch?resource_group=curl`]);
    await watch.lineWith("BOOKMARK");
    // -d sends a form's content type.
    const created = await curl("-d", '{"name":"a","shard_id":"s"}', path());
    expect(await curl(`${path()}/a`)).toBe(created);
    expect(await curl(`${server.url}/api/v1/resources?resource_group=curl`)).toBe(`[${created}]`);
    expect(await watch.lineWith("data:")).toMatch(/BOOKMARK/);
    expect(await watch.lineWith("data:")).toContain(created);
    await watch.stop();
    expect(await curl("-X", "DELETE", "-w", "%{http_code}", `${path()}/a`)).toBe("204");
  });

  test("speaks HTTP/2 with prior knowledge on the same port", async () => {
    const version = ["-o", "/dev/null", "-w", "%{http_version} %{http_code}"];
    expect(await curl("--http2-prior-knowledge", ...version, `${server.url}/api/v1/resources`)).toBe("2 200");
    expect(await curl("--http2-prior-knowledge", "-d", '{"name":"h2","shard_id":"s"}', path())).toContain(
      '"name":"h2"',
    );
  });
});

describe.each(["grpc", "grpcweb", "connect"])("buf curl with reflection, protocol %s", (protocol) => {
  const buf = "node_modules/@bufbuild/buf/bin/buf";
  // Reflection needs both directions at once, so HTTP/2 even where the protocol itself does not.
  const args = (method: string, data: object) => [
    "curl",
    "--protocol",
    protocol,
    "--http2-prior-knowledge",
    "-d",
    JSON.stringify(data),
    `${server.url}/reconcile.v1.ResourceService/${method}`,
  ];
  const call = async (method: string, data: object) => JSON.parse((await run(buf, args(method, data))).stdout);

  test("creates, gets, lists and watches", async () => {
    const key = { resourceGroup: `buf-${protocol}`, kind: "k", namespace: "n", name: "a" };
    const { resource } = await call("CreateResource", {
      resource: { key, shardId: "s", spec: { size: [1, null, "x"] } },
    });
    expect(resource).toMatchObject({ key, generation: "1", spec: { size: [1, null, "x"] } });
    expect((await call("GetResource", { key })).resource).toEqual(resource);
    expect((await call("ListResources", { filter: { resourceGroup: key.resourceGroup } })).resources).toEqual([
      resource,
    ]);
    const watch = follow(
      buf,
      args("WatchResources", { filter: { resourceGroup: key.resourceGroup }, sendInitialState: true }),
    );
    await watch.lineWith("EVENT_TYPE_ADDED");
    await watch.lineWith("EVENT_TYPE_SYNCED");
    await watch.stop();
  });

  test("shows errors with their details", async () => {
    const failed = run(
      buf,
      args("GetResource", { key: { resourceGroup: "g", kind: "k", namespace: "n", name: "none" } }),
    );
    await expect(failed).rejects.toMatchObject({
      stderr: expect.stringMatching(/not_found[\s\S]*does not exist[\s\S]*ErrorDetail/),
    });
  });
});

test("buf curl lists services and methods by reflection", async () => {
  const curl = ["curl", "--protocol", "grpc", "--http2-prior-knowledge"];
  const list = async (...args: string[]) =>
    (await run("node_modules/@bufbuild/buf/bin/buf", [...curl, ...args])).stdout.trim().split("\n");
  expect(await list("--list-services", server.url)).toEqual([
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "reconcile.v1.ReconcilerService",
    "reconcile.v1.ResourceService",
    "reconcile.v1.ServerService",
  ]);
  const methods = await list("--list-methods", "--reflect-protocol", "grpc-v1alpha", server.url);
  expect(methods).toContain("reconcile.v1.ReconcilerService/Lease");
});

describe("grpc-js", () => {
  // Loaded from the .proto files; proto-loader gives no types for what it finds.
  type AnyClient = grpc.Client &
    Record<string, (...args: unknown[]) => grpc.ClientReadableStream<Record<string, unknown>>>;
  type Package = {
    reconcile: { v1: Record<string, new (address: string, credentials: grpc.ChannelCredentials) => AnyClient> };
  };
  const clients: grpc.Client[] = [];
  const client = (service: string): AnyClient => {
    const definition = loadSync(["reconcile/v1/resource_service.proto", "reconcile/v1/reconciler_service.proto"], {
      includeDirs: ["proto", "node_modules/protobufjs"],
      longs: String,
      enums: String,
    });
    const loaded = grpc.loadPackageDefinition(definition) as unknown as Package;
    const Client = loaded.reconcile.v1[service];
    if (Client === undefined) throw new Error(`${service} is not in the .proto files`);
    const made = new Client(`${server.host}:${server.port}`, grpc.credentials.createInsecure());
    clients.push(made);
    return made;
  };
  const call = (on: AnyClient, method: string, request: object) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      on[method]?.(request, (error: Error | null, answer: Record<string, unknown>) =>
        error ? reject(error) : resolve(answer),
      );
    });
  afterAll(() => {
    for (const open of clients) open.close();
  });

  test("creates, gets, lists and watches", async () => {
    const resources = client("ResourceService");
    const key = { resourceGroup: "grpc-js", kind: "k", namespace: "n", name: "a" };
    const created = await call(resources, "createResource", {
      resource: { key, shardId: "s", specJson: "[1]" },
      payloadEncoding: "PAYLOAD_ENCODING_JSON",
    });
    expect(created.resource).toMatchObject({ key, specJson: "[1]", generation: "1" });
    const got = await call(resources, "getResource", { key, payloadEncoding: "PAYLOAD_ENCODING_JSON" });
    expect(got).toEqual(created);
    const listed = await call(resources, "listResources", {
      filter: { resourceGroup: "grpc-js" },
      payloadEncoding: "PAYLOAD_ENCODING_JSON",
    });
    expect(listed.resources).toEqual([created.resource]);
    const watch = resources.watchResources?.({ filter: { resourceGroup: "grpc-js" }, sendInitialState: true });
    const types: unknown[] = [];
    for await (const { events } of watch ?? []) {
      types.push(...(events as { type: string }[]).map(({ type }) => type));
      if (types.includes("EVENT_TYPE_SYNCED")) break;
    }
    expect(types).toEqual(["EVENT_TYPE_ADDED", "EVENT_TYPE_SYNCED"]);
  });

  test("registers, leases, reports and sees its work done", async () => {
    const work = client("ReconcilerService");
    const resources = client("ResourceService");
    const key = { resourceGroup: "grpc-js", kind: "worked", namespace: "n", name: "a" };
    await call(resources, "createResource", { resource: { key, shardId: "s" } });
    const registration = {
      name: "r",
      instanceId: "i",
      language: "javascript",
      kinds: [{ resourceGroup: "grpc-js", kind: "worked" }],
    };
    const { sessionId } = await call(work, "register", registration);
    const attached = work.attach?.({ sessionId });
    attached?.on("error", () => {});
    const { items } = await call(work, "lease", { sessionId, maxItems: 5, wait: { seconds: 5 } });
    const [item] = items as { leaseToken: string; reason: string; resource: { key: object } }[];
    expect(item).toMatchObject({ reason: "WORK_REASON_CREATED", attempt: 1, resource: { key, specJson: "null" } });
    const sessions = await call(work, "listReconcilers", {});
    expect(sessions.sessions).toMatchObject([{ sessionId, name: "r", leases: 1 }]);
    const listed = await call(work, "listWork", { resourceGroup: "grpc-js", kind: "worked" });
    expect(listed).toMatchObject({ items: [{ key, holderSessionId: sessionId }] });
    const report = {
      key,
      leaseToken: item?.leaseToken,
      result: "PASS_RESULT_SUCCESS",
      observedGeneration: 1,
      statusJson: '{"ok":true}',
    };
    const bad = { ...report, result: "PASS_RESULT_UNSPECIFIED" };
    const { results } = await call(work, "report", { sessionId, reports: [bad, report] });
    expect(results).toMatchObject([
      { outcome: "REPORT_OUTCOME_INVALID", message: expect.stringContaining("result must be SUCCESS") },
      { outcome: "REPORT_OUTCOME_ACCEPTED" },
    ]);
    const done = await call(resources, "getResource", { key, payloadEncoding: "PAYLOAD_ENCODING_JSON" });
    expect(done.resource).toMatchObject({ observedGeneration: "1", statusJson: '{"ok":true}' });
    await call(work, "deregister", { sessionId });
    attached?.cancel();
  });
});

describe.skipIf(chromiumPath === undefined)("a browser", () => {
  let browser: Awaited<ReturnType<typeof launchChromium>>;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());

  test("on an allowed origin creates, gets, lists and watches with EventSource, which resumes by itself", async () => {
    const page = await browser.newPage();
    await page.goto(allowedPage.origin);
    const result = await page.evaluate(browserRound, server.url);
    expect(result).toEqual({ created: 201, same: true, listed: 1, events: ["ADDED a", "SYNCED", "MODIFIED a"] });
    await page.close();
  });

  test("on another origin can neither write nor read", async () => {
    const foreign = await servePage();
    const page = await browser.newPage();
    await page.goto(foreign.origin);
    const url = `${server.url}/api/v1/groups/evil/namespaces/n/kinds/k/resources`;
    const outcome = await page.evaluate(async (target) => {
      const body = '{"name":"a","shard_id":"s"}';
      // No preflight for a form's type and an opaque answer: the server alone can refuse.
      const sent = await fetch(target, { method: "POST", mode: "no-cors", body }).then(({ type }) => type);
      const read = await fetch(target.replace(/groups.*/, "resources")).then(
        () => "read",
        () => "refused",
      );
      return { sent, read };
    }, url);
    expect(outcome).toEqual({ sent: "opaque", read: "refused" });
    expect((await fetch(`${url}/a`)).status).toBe(404);
    await page.close();
    await foreign.stop();
  });

  test("calls Connect with GET", async () => {
    const page = await browser.newPage();
    await page.goto(allowedPage.origin);
    const message = encodeURIComponent(JSON.stringify({ filter: { resourceGroup: "browser" } }));
    const names = await page.evaluate(async (url) => {
      const answer = (await (await fetch(url, { headers: { "connect-protocol-version": "1" } })).json()) as {
        resources: { key: { name: string } }[];
      };
      return answer.resources.map(({ key }) => key.name);
    }, `${server.url}/reconcile.v1.ResourceService/ListResources?connect=v1&encoding=json&message=${message}`);
    expect(names).toEqual(["a"]);
    await page.close();
  });
});

/** Runs in the page. */
async function browserRound(url: string) {
  const path = `${url}/api/v1/groups/browser/namespaces/n/kinds/k/resources`;
  const headers = { "content-type": "application/json" };
  const created = await fetch(path, { method: "POST", headers, body: '{"name":"a","shard_id":"s"}' });
  const text = await created.text();
  const same = (await (await fetch(`${path}/a`)).text()) === text;
  const listed = ((await (await fetch(`${url}/api/v1/resources?resource_group=browser`)).json()) as unknown[]).length;
  const events: string[] = [];
  const Source = (globalThis as unknown as { EventSource: new (url: string) => BrowserEvents }).EventSource;
  const source = new Source(`${url}/api/v1/watch?resource_group=browser&send_initial_state=true`);
  await new Promise<void>((resolve) => {
    for (const type of ["ADDED", "MODIFIED", "SYNCED"]) {
      source.addEventListener(type, ({ data }) => {
        const { resource } = JSON.parse(data) as { resource?: { name: string } };
        events.push(`${type} ${resource?.name ?? ""}`.trim());
        if (type === "SYNCED") void fetch(`${path}/a`, { method: "PUT", headers, body: '{"shard_id":"s"}' });
        if (type === "MODIFIED") resolve();
      });
    }
  });
  source.close();
  return { created: created.status, same, listed, events };
}

interface BrowserEvents {
  addEventListener(type: string, listener: (event: { readonly data: string }) => void): void;
  close(): void;
}
