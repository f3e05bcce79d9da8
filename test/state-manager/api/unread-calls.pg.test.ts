/** What Connect cannot read is the caller's mistake on every protocol, and counted like any other answer. */
import { connect } from "node:http2";
import { gzipSync } from "node:zlib";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorDetailSchema } from "../../../gen/reconcile/v1/error_pb.js";
import { ResourceService } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { startServer, type TestServer } from "../../support/server.js";
import { until } from "../../support/until.js";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

/** Makes a client send something else than its message: a compression may return anything. */
function instead(bytes: Uint8Array) {
  return { sendCompression: { ...compressionGzip, compress: async () => new Uint8Array(bytes) }, compressMinBytes: 1 };
}

type Sending = ReturnType<typeof instead>;

const TRANSPORTS = {
  connect: (sending: Sending) => createConnectTransport({ baseUrl: server.url, httpVersion: "1.1", ...sending }),
  grpc: (sending: Sending) => createGrpcTransport({ baseUrl: server.url, ...sending }),
  "grpc-web": (sending: Sending) => createGrpcWebTransport({ baseUrl: server.url, httpVersion: "1.1", ...sending }),
};
const PROTOCOLS = ["connect", "grpc", "grpc-web"] as const;

/** A unary call and a server stream. In both messages field 2 of field 1 is text. */
const CALLS = {
  UpdateResource: (transport: Transport) =>
    createClient(ResourceService, transport).updateResource({ resource: { shardId: "s" } }),
  async WatchResources(transport: Transport) {
    const filter = { kind: "k" };
    for await (const _ of createClient(ResourceService, transport).watchResources({ filter }));
  },
};
const METHODS = ["UpdateResource", "WatchResources"] as const;

async function refusalOf(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(
    () => "accepted",
    (reason: unknown) => reason,
  );
  expect(error).not.toBe("accepted");
  return ConnectError.from(error);
}

/** How many calls ended with `code`. */
async function counted(protocol: string, method: string, code: string): Promise<number> {
  const { values } = await server.metrics.requestDuration.get();
  const isMeant = (labels: Partial<Record<string, string | number>>) =>
    labels.protocol === protocol && labels.code === code && `${labels.method}`.endsWith(`/${method}`);
  return values.find(({ metricName, labels }) => metricName?.endsWith("_count") && isMeant(labels))?.value ?? 0;
}

describe.each(PROTOCOLS)("over %s", (protocol) => {
  describe.each(METHODS)("%s", (method) => {
    test.each<[string, Uint8Array, RegExp]>([
      ["bytes that are no message", gzipSync(Buffer.of(0xff, 0xff)), /^the request must be well-formed: premature EOF/],
      [
        "text that is no UTF-8",
        gzipSync(Buffer.from("0a031201ff", "hex")),
        /^the request must be well-formed: .*utf-8/,
      ],
      ["a compression cut short", gzipSync(Buffer.alloc(99)).subarray(0, 15), /decompression failed/],
    ])("with %s is refused as the caller's mistake, and counted", async (_what, bytes, words) => {
      const before = await counted(protocol, method, "invalid_argument");
      const error = await refusalOf(CALLS[method](TRANSPORTS[protocol](instead(bytes))));
      expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, expect.stringMatching(words)]);
      expect(error.findDetails(ErrorDetailSchema)).toMatchObject([{ reason: "INVALID_MESSAGE", field: "" }]);
      expect(await counted(protocol, method, "invalid_argument")).toBe(before + 1);
    });

    test("over the limit keeps its code, and is counted", async () => {
      const error = await refusalOf(CALLS[method](TRANSPORTS[protocol](instead(gzipSync(Buffer.alloc(5 << 20))))));
      expect(error.code).toBe(Code.ResourceExhausted);
      expect(await counted(protocol, method, "resource_exhausted")).toBe(1);
    });
  });
});

test.each<[string, string, RegExp]>([
  ["no JSON", "{", /^the request must be well-formed: cannot decode message .* from JSON/],
  ["a number for a text", '{"resource":{"shardId":1}}', /shard_id from JSON: expected string, got 1$/],
])("%s in Connect JSON is told with reason, and counted", async (_what, body, words) => {
  const before = await counted("connect", "CreateResource", "invalid_argument");
  const sending = instead(gzipSync(body));
  const transport = createConnectTransport({
    baseUrl: server.url,
    httpVersion: "1.1",
    useBinaryFormat: false,
    ...sending,
  });
  const error = await refusalOf(createClient(ResourceService, transport).createResource({ resource: {} }));
  expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, expect.stringMatching(words)]);
  expect(error.findDetails(ErrorDetailSchema)).toMatchObject([{ reason: "INVALID_MESSAGE" }]);
  expect(await counted("connect", "CreateResource", "invalid_argument")).toBe(before + 1);
});

test("a message in a URL that is none is refused as the caller's mistake", async () => {
  const response = await fetch(
    `${server.url}/reconcile.v1.ResourceService/GetResource?connect=v1&encoding=proto&base64=1&message=_w`,
  );
  expect([response.status, await response.json()]).toMatchObject([400, { code: "invalid_argument" }]);
  expect(response.headers.get("content-type")).toBe("application/json");
});

test("a client that leaves in the middle of a bidirectional stream is no failure of ours", async () => {
  const session = connect(server.url);
  const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
  session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc" }).on("error", () => {});
  await until(async () => (await server.metrics.requestsInFlight.get()).values.some(({ value }) => value === 1));
  session.destroy();
  await until(async () => (await counted("grpc", "ServerReflectionInfo", "canceled")) === 1);
});
