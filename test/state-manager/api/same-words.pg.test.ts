/** What is refused is refused in the same words on every protocol; REST puts the dialect's first words before them. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ResourceService } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { startServer, type TestServer } from "../../support/server.js";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

interface Declaration {
  readonly name?: string;
  readonly shardId?: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly finalizers?: string[];
  readonly spec?: string;
}

const PATH = "/api/v1/groups/g/namespaces/n/kinds/k/resources";
const entries = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, "v"]));

async function overRest({ name, shardId, labels, annotations, finalizers, spec }: Declaration): Promise<string> {
  const rest = JSON.stringify({ name, shard_id: shardId, labels, annotations, finalizers });
  const body = spec === undefined ? rest : `${rest.slice(0, -1)},"spec":${spec}}`;
  const response = await fetch(server.url + PATH, { method: "POST", body });
  expect(response.status).toBeGreaterThanOrEqual(400);
  return ((await response.json()) as { error: string }).error;
}

async function overRpc(protocol: "connect" | "grpc", declaration: Declaration): Promise<ConnectError> {
  const transport =
    protocol === "grpc"
      ? createGrpcTransport({ baseUrl: server.url })
      : createConnectTransport({ baseUrl: server.url, httpVersion: "1.1", useBinaryFormat: false });
  const { name = "", shardId = "", spec = "", labels = {}, annotations = {}, finalizers = [] } = declaration;
  const key = { resourceGroup: "g", kind: "k", namespace: "n", name };
  const resource = { key, shardId, labels, annotations, finalizers, specJson: spec };
  const outcome = await createClient(ResourceService, transport)
    .createResource({ resource })
    .then(
      () => "accepted",
      (error: unknown) => error,
    );
  expect(outcome).not.toBe("accepted");
  return ConnectError.from(outcome);
}

describe("a declaration", () => {
  test.each<[string, Declaration, RegExp]>([
    ["no name", { shardId: "s" }, /^name must not be empty/],
    ["no shard", { name: "a" }, /^shard_id must not be empty/],
    ["a long name", { name: "x".repeat(256), shardId: "s" }, /^name must be at most 255 characters long/],
    ["NUL in a name", { name: "a\0", shardId: "s" }, /^name must not contain the NUL character/],
    ["NUL in a shard", { name: "a", shardId: "\0" }, /^shard_id must not contain the NUL character/],
    ["= in a label key", { name: "a", shardId: "s", labels: { "a=b": "" } }, /^labels\["a=b"\] must not have "="/],
    ["= in a label value", { name: "a", shardId: "s", labels: { a: "b=c" } }, /^labels\["a"\] must not have "="/],
    ["an empty label key", { name: "a", shardId: "s", labels: { "": "b" } }, /^labels\[""\] must have a key/],
    [
      "a long label value",
      { name: "a", shardId: "s", labels: { a: "x".repeat(256) } },
      /^labels\["a"\] must be at most 255/,
    ],
    ["too many labels", { name: "a", shardId: "s", labels: entries(257) }, /^labels must have at most 256 entries/],
    [
      "too many annotations",
      { name: "a", shardId: "s", annotations: entries(257) },
      /^annotations must have at most 256/,
    ],
    [
      "too many finalizers",
      { name: "a", shardId: "s", finalizers: Object.keys(entries(65)) },
      /^finalizers must have at most 64/,
    ],
    ["an empty finalizer", { name: "a", shardId: "s", finalizers: ["f", ""] }, /^finalizers\[1\] must not be empty/],
    [
      "NUL in a spec",
      { name: "a", shardId: "s", spec: '{"a":{"b":["x","\\u0000"]}}' },
      /^spec\.a\.b\[1\] must not contain the NUL/,
    ],
    [
      "half a surrogate pair",
      { name: "a", shardId: "s", spec: '{"a b":"\\ud800"}' },
      /^spec\["a b"\] must be Unicode text/,
    ],
    [
      "a huge number",
      { name: "a", shardId: "s", spec: '{"a":[0,1e131071]}' },
      /^spec\.a\[1\] must be within double range/,
    ],
    [
      "deep nesting",
      { name: "a", shardId: "s", spec: "[".repeat(31) + "]".repeat(31) },
      /^spec(\[0\])+ must not be nested deeper than 30/,
    ],
    [
      "a large spec",
      { name: "a", shardId: "s", spec: JSON.stringify("x".repeat(1 << 20)) },
      /^resource must be at most 1048576 bytes/,
    ],
  ])("with %s", async (_what, declaration, words) => {
    const rest = (await overRest(declaration)).replace(/^Validation failed: /, "");
    expect(rest).toMatch(words);
    for (const protocol of ["connect", "grpc"] as const) {
      const { rawMessage, code } = await overRpc(protocol, declaration);
      expect([rawMessage, code]).toEqual([rest, Code.InvalidArgument]);
    }
    expect(await (await fetch(`${server.url}/api/v1/resources`)).json()).toEqual([]);
  });
});

test("a huge number in a spec that is no text is out of range in the same words", async () => {
  const resource = `{"key":{"resourceGroup":"g","kind":"k","namespace":"n","name":"a"},"shardId":"s","spec":{"a":1e131071}}`;
  const response = await fetch(`${server.url}/reconcile.v1.ResourceService/CreateResource`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: `{"resource":${resource}}`,
  });
  const { message } = (await response.json()) as { message: string };
  const rest = await overRest({ name: "a", shardId: "s", spec: '{"a":1e131071}' });
  // JSON.parse has already lost the digits.
  expect(message).toBe("spec.a must be within double range (got Infinity)");
  expect(rest).toBe("Validation failed: spec.a must be within double range (got 1e131071)");
});

describe("a list", () => {
  test.each<[string, Record<string, string>, object]>([
    ["a selector that is no selector", { label_selector: "a=b" }, { filter: { labelSelector: "a=b" } }],
    ["a blank selector", { label_selector: " " }, { filter: { labelSelector: " " } }],
    ["NUL in a filter", { kind: "\0" }, { filter: { kind: "\0" } }],
    ["a page token of nobody", { page_token: "x" }, { pageToken: "x" }],
  ])("with %s", async (_what, query, request) => {
    const response = await fetch(`${server.url}/api/v1/resources?${new URLSearchParams(query)}`);
    const { error } = (await response.json()) as { error: string };
    const client = createClient(ResourceService, createGrpcTransport({ baseUrl: server.url }));
    const rpc = ConnectError.from(await client.listResources(request).catch((reason: unknown) => reason));
    expect([response.status, rpc.code]).toEqual([400, Code.InvalidArgument]);
    expect(error.replace(/^Validation failed: /, "")).toBe(rpc.rawMessage);
  });
});
