import { Code, type ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../../gen/grpc/health/v1/health_pb.js";
import { clampDeadline } from "../../../src/state-manager/api/call-deadline.js";
import { type StubApi, startStubApi } from "./stub-api.js";

let api: StubApi;
beforeAll(async () => {
  api = await startStubApi({
    resources: {
      kinds: async () => {
        await new Promise((resolve) => setTimeout(resolve, 20)); // Longer than a timer that fires at once.
        return { kinds: [], countedAt: new Date() };
      },
    },
  });
});
afterAll(() => api.close(0));

test.each<[string, string, string]>([
  ["connect-timeout-ms", "2147483647", "2147483647"],
  ["connect-timeout-ms", "2147483648", "2147483647"],
  ["connect-timeout-ms", "9999999999", "2147483647"],
  ["connect-timeout-ms", "5000", "5000"],
  ["connect-timeout-ms", "99999999999", "99999999999"],
  ["connect-timeout-ms", "soon", "soon"],
  ["grpc-timeout", "596H", "596H"],
  ["grpc-timeout", "597H", "2147483S"],
  ["grpc-timeout", "99999999H", "2147483S"],
  ["grpc-timeout", "35792M", "2147483S"],
  ["grpc-timeout", "2147484S", "2147483S"],
  ["grpc-timeout", "99999999m", "99999999m"],
  ["grpc-timeout", "1n", "1n"],
  ["grpc-timeout", "597h", "597h"],
])("%s: %s is taken for %s", (name, sent, taken) => {
  const headers = new Headers({ [name]: sent });
  clampDeadline(headers);
  expect(headers.get(name)).toBe(taken);
});

/** A transport of each protocol that sends this header with every call. */
function clients(name: string, value: string) {
  const setHeader: Interceptor = (next) => (request) => {
    request.header.set(name, value);
    return next(request);
  };
  const options = { baseUrl: api.url, interceptors: [setHeader] };
  const transports = {
    connect: createConnectTransport({ ...options, httpVersion: "1.1" }),
    grpc: createGrpcTransport(options),
    "grpc-web": createGrpcWebTransport({ ...options, httpVersion: "1.1" }),
  };
  return Object.entries(transports).map(
    ([protocol, transport]) => [protocol, createClient(Health, transport)] as const,
  );
}

describe("a call whose client would wait for more than 24.8 days is answered", () => {
  test.each([
    ["connect-timeout-ms", "2147483648"],
    ["grpc-timeout", "597H"],
  ])("%s: %s", async (name, value) => {
    for (const [protocol, client] of clients(name, value)) {
      expect([protocol, (await client.check({})).status]).toEqual([protocol, Status.SERVING]);
      const watch = client.watch({})[Symbol.asyncIterator]();
      expect([protocol, (await watch.next()).value?.status]).toEqual([protocol, Status.SERVING]);
      // It would have ended within 10 ms.
      const isOver = await Promise.race([
        watch.next().then(
          () => true,
          () => true,
        ),
        new Promise((resolve) => setTimeout(() => resolve(false), 50)),
      ]);
      expect([protocol, isOver]).toEqual([protocol, false]);
      void watch.return?.();
    }
  });
});

test("a Connect GET too", async () => {
  const url = `${api.url}/reconcile.v1.ResourceService/ListKinds?connect=v1&encoding=json&message=%7B%7D`;
  const statusOf = async (value: string) => (await fetch(url, { headers: { "connect-timeout-ms": value } })).status;
  expect([await statusOf("2147483648"), await statusOf("99999999999")]).toEqual([200, 400]);
});

test.each([
  ["connect-timeout-ms", "99999999999", ["connect"]],
  ["connect-timeout-ms", "-1", ["connect"]],
  ["grpc-timeout", "597h", ["grpc", "grpc-web"]],
  ["grpc-timeout", "123456789S", ["grpc", "grpc-web"]],
])("%s: %s is malformed, and refused with INVALID_ARGUMENT", async (name, value, protocols) => {
  for (const [protocol, client] of clients(name, value)) {
    if (!protocols.includes(protocol)) continue;
    const error = await client.check({}).catch((reason: ConnectError) => reason);
    expect(error, protocol).toMatchObject({ code: Code.InvalidArgument });
    expect(String(error)).toContain(value);
  }
});
