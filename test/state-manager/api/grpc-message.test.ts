import { Code, type ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ResourceService } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { DomainError } from "../../../src/resource/errors.js";
import { encodeGrpcMessage } from "../../../src/state-manager/api/grpc-message.js";
import { type StubApi, startStubApi } from "./stub-api.js";

test.each([
  ["g/k default/a does not exist; create it", "g/k default/a does not exist; create it"],
  ["100 %", "100 %25"],
  ["a%2Fb", "a%252Fb"],
  ["two\nlines\t", "two%0Alines%09"],
  ["é😀", "%C3%A9%F0%9F%98%80"],
  [" ends ", "%20ends%20"],
  [" ", "%20"],
  ["", ""],
  ["~\u007f", "~%7F"],
  ["half \ud83d", "half %EF%BF%BD"],
])("%j is sent as %j", (text, encoded) => {
  expect(encodeGrpcMessage(text)).toBe(encoded);
  expect(decodeURIComponent(encoded)).toBe(Buffer.from(text).toString());
});

describe("the message of an error arrives as it was written", () => {
  let api: StubApi;
  let message = "";
  beforeAll(async () => {
    const fail = () => Promise.reject(new DomainError("NOT_FOUND", "NOT_FOUND", message));
    api = await startStubApi({ resources: { get: fail }, watch: { open: fail } });
  });
  afterAll(() => api.close(0));

  function overGrpcJs(method: string): Promise<ServiceError> {
    const client = new Client(`127.0.0.1:${api.port}`, credentials.createInsecure());
    const bytes = (buffer: Buffer) => buffer;
    return new Promise<ServiceError>((resolve, reject) => {
      const stream = client.makeServerStreamRequest(
        `/reconcile.v1.ResourceService/${method}`,
        bytes,
        bytes,
        Buffer.alloc(0),
      );
      stream
        .on("error", resolve)
        .on("data", () => {})
        .on("end", () => reject(new Error("no error")));
    }).finally(() => client.close());
  }

  test.each([
    'g/k default/a does not exist; create it with "apply", or look for a:b, c=d & e+f?',
    "100 % of a%2Fb",
    "two\nlines, an é and a 😀",
    " spaces at both ends ",
  ])("%j", async (text) => {
    message = text;
    for (const method of ["GetResource", "WatchResources"]) {
      expect(await overGrpcJs(method)).toMatchObject({ code: 5, details: text });
    }
    for (const transport of [
      createGrpcTransport({ baseUrl: api.url }),
      createGrpcWebTransport({ baseUrl: api.url, httpVersion: "1.1" }),
    ]) {
      const error = await createClient(ResourceService, transport)
        .getResource({})
        .catch((reason: ConnectError) => reason);
      expect(error).toMatchObject({ code: Code.NotFound, rawMessage: text });
    }
  });

  test("gRPC-Web's own trailer is plain, too", async () => {
    message = "g/k default/a does not exist";
    const answer = await fetch(`${api.url}/reconcile.v1.ResourceService/GetResource`, {
      method: "POST",
      headers: { "content-type": "application/grpc-web+proto" },
      body: new Uint8Array(5),
    });
    expect(await answer.text()).toContain("grpc-message: g/k default/a does not exist\r\n");
  });

  test("with half a surrogate pair, which gRPC cannot carry, it arrives with a replacement character", async () => {
    message = "name \ud83d is refused";
    expect(await overGrpcJs("GetResource")).toMatchObject({ code: 5, details: "name \ufffd is refused" });
  });
});
