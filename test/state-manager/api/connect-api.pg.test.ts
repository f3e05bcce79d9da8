import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import * as web from "@connectrpc/connect-web";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorDetailSchema } from "../../../gen/reconcile/v1/error_pb.js";
import { PayloadEncoding } from "../../../gen/reconcile/v1/resource_pb.js";
import {
  ApplyResult,
  CreateResourceRequestSchema,
  CreateResourceResponseSchema,
  ResourceService,
} from "../../../gen/reconcile/v1/resource_service_pb.js";
import { startServer } from "../../support/server.js";

let server: Awaited<ReturnType<typeof startServer>>;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const PROTOCOLS: Record<string, (baseUrl: string) => Transport> = {
  "Connect JSON over HTTP/1.1": (baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false, useHttpGet: true }),
  "Connect binary over HTTP/2": (baseUrl) =>
    createConnectTransport({
      baseUrl,
      httpVersion: "2",
      useBinaryFormat: true,
      sendCompression: compressionGzip,
      compressMinBytes: 1,
    }),
  "gRPC-Web over HTTP/1.1": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect as in a browser": (baseUrl) => web.createConnectTransport({ baseUrl, useHttpGet: true }),
  "gRPC-Web as in a browser": (baseUrl) => web.createGrpcWebTransport({ baseUrl }),
  gRPC: (baseUrl) => createGrpcTransport({ baseUrl }),
};

let count = 0;
const key = (name = `rpc-${++count}`) => ({ resourceGroup: "apps", kind: "widget", namespace: "default", name });

async function errorOf(call: Promise<unknown>): Promise<ConnectError> {
  return ConnectError.from(
    await call.then(
      () => "no error",
      (error: unknown) => error,
    ),
  );
}

function detailOf(error: ConnectError) {
  const { reason, field } = error.findDetails(ErrorDetailSchema)[0] ?? {};
  return { reason, field };
}

describe.each(Object.entries(PROTOCOLS))("%s", (_name, transport) => {
  let client: Client<typeof ResourceService>;
  beforeAll(() => {
    client = createClient(ResourceService, transport(server.url));
  });

  test("creates, reads, lists, updates, applies, reports status and deletes", async () => {
    const resource = {
      key: key(),
      shardId: "s1",
      labels: { a: "b" },
      finalizers: ["f"],
      specJson: '{"n": 12345678901234567890}',
    };
    const created = (await client.createResource({ resource, payloadEncoding: PayloadEncoding.JSON })).resource;
    expect(created).toMatchObject({
      generation: 1n,
      observedGeneration: 0n,
      specJson: '{"n": 12345678901234567890}',
      statusJson: "null",
      labels: { a: "b" },
    });
    expect(created?.spec).toBeUndefined();
    expect(created?.uid).toMatch(/^[0-9a-f-]{36}$/);

    const read = (await client.getResource({ key: resource.key })).resource;
    expect(read?.spec?.kind).toMatchObject({
      case: "structValue",
      value: { fields: { n: { kind: { value: 12345678901234567000 } } } },
    });
    expect(read?.status?.kind.case).toBe("nullValue");
    expect(read?.specJson).toBe("");
    expect(read?.deletionRequestedAt).toBeUndefined();

    const page = await client.listResources({
      filter: { name: resource.key.name, labelSelector: "a in (b)" },
      pending: true,
    });
    expect(page.resources).toEqual([read]);
    expect(page.resumeToken).not.toBe("");

    const updated = await client.updateResource({
      resource: { ...resource, specJson: "2" },
      expectedRevision: read?.revision ?? 0n,
    });
    expect(updated.resource).toMatchObject({ generation: 2n, spec: { kind: { case: "numberValue", value: 2 } } });
    expect((await client.applyResource({ resource: { ...resource, specJson: "2" } })).result).toBe(
      ApplyResult.UNCHANGED,
    );
    expect((await client.applyResource({ resource: { ...resource, specJson: "3" } })).result).toBe(ApplyResult.UPDATED);

    const reported = await client.updateResourceStatus({
      key: resource.key,
      status: { kind: { case: "stringValue", value: "ok" } },
      observedGeneration: 3n,
      expectedUid: created?.uid ?? "",
    } as never);
    expect(reported.resource).toMatchObject({ observedGeneration: 3n, generation: 3n });

    const marked = await client.deleteResource({ key: resource.key });
    expect(marked.removed).toBe(false);
    expect(marked.resource?.deletionRequestedAt).toBeDefined();
    await client.updateResource({ resource: { ...resource, finalizers: [] } });
    expect((await errorOf(client.getResource({ key: resource.key }))).code).toBe(Code.NotFound);
  });

  test("names reason and field of an error", async () => {
    const missing = await errorOf(client.getResource({ key: key("missing") }));
    expect([missing.code, missing.rawMessage, detailOf(missing)]).toEqual([
      Code.NotFound,
      "apps/widget default/missing does not exist; create it first",
      { reason: "NOT_FOUND", field: "" },
    ]);
    const invalid = await errorOf(
      client.createResource({ resource: { key: key(), shardId: "s", labels: { "a=b": "" } } }),
    );
    expect([invalid.code, detailOf(invalid)]).toEqual([
      Code.InvalidArgument,
      { reason: "INVALID_FIELD", field: 'labels["a=b"]' },
    ]);
    const keyless = await errorOf(client.createResource({}));
    expect([keyless.code, detailOf(keyless).field]).toEqual([Code.InvalidArgument, "resource_group"]);
  });

  test("keeps a label named __proto__, and what a spec holds under that name", async () => {
    const labels = JSON.parse('{"__proto__":"x","constructor":"y"}');
    const request = {
      resource: {
        key: key(),
        shardId: "s",
        labels,
        annotations: labels,
        spec: {
          kind: {
            case: "structValue" as const,
            value: {
              fields: Object.fromEntries([["__proto__", { kind: { case: "numberValue" as const, value: 1 } }]]),
            },
          },
        },
      },
    };
    const created = (await client.createResource({ ...request, payloadEncoding: PayloadEncoding.JSON })).resource;
    expect(Object.entries(created?.labels ?? {}).sort()).toEqual([
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
    expect(Object.entries(created?.annotations ?? {}).sort()).toEqual([
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
    expect(created?.specJson).toBe('{"__proto__":1}');
    const value = (await client.getResource({ key: request.resource.key })).resource?.spec?.kind;
    expect(value?.case === "structValue" && Object.keys(value.value.fields)).toEqual(["__proto__"]);
  });

  test("refuses spec and spec_json together, and both paging limits", async () => {
    const both = await errorOf(
      client.createResource({
        resource: { key: key(), shardId: "s", specJson: "1", spec: { kind: { case: "boolValue", value: true } } },
      }),
    );
    expect([both.code, both.rawMessage]).toEqual([
      Code.InvalidArgument,
      "spec and spec_json must not both be set; send one of them",
    ]);
    for (const pageSize of [-1, 10_001]) {
      const error = await errorOf(client.listResources({ pageSize }));
      expect([error.code, detailOf(error).field]).toEqual([Code.InvalidArgument, "page_size"]);
    }
  });

  test("refuses deep nesting with the path, and very deep nesting in the same words", async () => {
    for (const [depth, path] of [
      [31, /^spec(\[0\])+/],
      [60, /^spec(\[0\])+/],
      [500, /^spec or status/],
    ] as const) {
      const error = await errorOf(
        client.createResource({ resource: { key: key(), shardId: "s", spec: nested(depth) } }),
      );
      expect(error.code).toBe(Code.InvalidArgument);
      expect(error.rawMessage.replace(path, "")).toBe(" must not be nested deeper than 30 levels");
    }
  });

  test("refuses a request over the limit, and the connection stays usable", async () => {
    const error = await errorOf(
      client.createResource({ resource: { key: key(), shardId: "s", specJson: "x".repeat(5 << 20) } }),
    );
    expect(error.code).toBe(Code.ResourceExhausted);
    expect((await client.listResources({ filter: { resourceGroup: "nothing" } })).resources).toEqual([]);
  });
});

function nested(depth: number): { kind: { case: "listValue"; value: { values: never[] } } } {
  let value: unknown = { kind: { case: "listValue", value: { values: [] } } };
  for (let i = 1; i < depth; i++) value = { kind: { case: "listValue", value: { values: [value] } } };
  return value as ReturnType<typeof nested>;
}

async function post(
  method: string,
  contentType: string,
  body: string | Uint8Array<ArrayBuffer>,
): Promise<{ status: number; code: string; message: string }> {
  const response = await fetch(`${server.url}/reconcile.v1.ResourceService/${method}`, {
    method: "POST",
    headers: { "content-type": contentType },
    body,
  });
  return { status: response.status, ...((await response.json()) as { code: string; message: string }) };
}

describe("hostile bytes", () => {
  test("NaN and Infinity have no JSON and are refused by path", async () => {
    const client = createClient(ResourceService, createGrpcTransport({ baseUrl: server.url }));
    for (const [number, words] of [
      [Number.NaN, "must be a number (got NaN)"],
      [Number.NEGATIVE_INFINITY, "must be within double range (got -Infinity)"],
    ] as const) {
      const spec = {
        kind: {
          case: "structValue" as const,
          value: { fields: { "a b": { kind: { case: "numberValue" as const, value: number } } } },
        },
      };
      const error = await errorOf(client.createResource({ resource: { key: key(), shardId: "s", spec } }));
      expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, `spec["a b"] ${words}`]);
    }
    const unset = await errorOf(
      client.createResource({
        resource: { key: key(), shardId: "s", spec: { kind: { case: "listValue", value: { values: [{}] } } } },
      }),
    );
    expect(unset.rawMessage).toMatch(/^spec\[0\] must be set to a value/);
  });

  test("broken UTF-8 in JSON is refused instead of replaced", async () => {
    const body = Buffer.concat([Buffer.from('{"resource":{"shardId":"'), Buffer.from([0xff]), Buffer.from('"}}')]);
    expect(await post("CreateResource", "application/json", body)).toMatchObject({
      status: 400,
      code: "invalid_argument",
    });
  });

  test("broken UTF-8 in binary is refused", async () => {
    const good = toBinary(
      CreateResourceRequestSchema,
      create(CreateResourceRequestSchema, { resource: { key: key("xyz"), shardId: "s" } }),
    );
    const bad = Buffer.from(good);
    bad[bad.indexOf("xyz")] = 0xff;
    expect(await post("CreateResource", "application/proto", bad)).toMatchObject({
      status: 400,
      code: "invalid_argument",
      message: expect.stringMatching(/utf-8/),
    });
  });

  test("what is no message at all is refused, and nothing of the server leaks", async () => {
    expect(await post("CreateResource", "application/json", "{")).toMatchObject({
      status: 400,
      code: "invalid_argument",
    });
    expect(await post("CreateResource", "application/json", '{"resource":{"labels":{"a":1}}}')).toMatchObject({
      status: 400,
      code: "invalid_argument",
    });
    const binary = await post("CreateResource", "application/proto", Buffer.from([0xff, 0xff]));
    expect(binary.message).not.toMatch(/node_modules|at /);
  });

  test("unknown fields are ignored", async () => {
    const body = JSON.stringify({ resource: { key: key(), shardId: "s", surprise: 1 }, more: [] });
    expect(await post("CreateResource", "application/json", body)).toMatchObject({ status: 200 });
  });

  test("an unknown method is 404 and another content type 415", async () => {
    expect((await fetch(`${server.url}/reconcile.v1.ResourceService/Nothing`, { method: "POST" })).status).toBe(404);
    expect(
      (await fetch(`${server.url}/reconcile.v1.ResourceService/GetResource`, { method: "POST", body: "x" })).status,
    ).toBe(415);
    const get = await fetch(`${server.url}/reconcile.v1.ResourceService/CreateResource?encoding=json&message=%7B%7D`);
    expect(get.status).toBe(405);
  });
});

test("methods without side effects answer GET", async () => {
  const message = encodeURIComponent(JSON.stringify({ filter: { resourceGroup: "nothing" } }));
  const response = await fetch(
    `${server.url}/reconcile.v1.ResourceService/ListResources?connect=v1&encoding=json&message=${message}`,
  );
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ resumeToken: expect.any(String) });
});

test("an error tells when to try again only when that may help", async () => {
  expect(
    (
      await errorOf(createClient(ResourceService, createGrpcTransport({ baseUrl: server.url })).getResource({}))
    ).metadata.get("retry-after"),
  ).toBeNull();
});

test("answers decode with the committed schema alone", async () => {
  const request = create(CreateResourceRequestSchema, { resource: { key: key(), shardId: "s" } });
  const response = await fetch(`${server.url}/reconcile.v1.ResourceService/CreateResource`, {
    method: "POST",
    headers: { "content-type": "application/proto" },
    body: Buffer.from(toBinary(CreateResourceRequestSchema, request)),
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  expect(fromBinary(CreateResourceResponseSchema, bytes).resource?.generation).toBe(1n);
});
