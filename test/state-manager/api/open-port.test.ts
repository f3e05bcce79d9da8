import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ResourceService } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { OpenPort } from "../../../src/state-manager/api/open-port.js";

const STARTING = "the server is starting: PostgreSQL does not answer; retry with back-off";

let port: OpenPort;
let url: string;
beforeAll(async () => {
  port = await OpenPort.open({ host: "127.0.0.1", port: 0 }, () => "PostgreSQL does not answer");
  url = `http://127.0.0.1:${port.port}`;
});
afterAll(() => port.close(0));

test("while it starts, a server tells every client in its protocol to come back", async () => {
  for (const transport of [
    createConnectTransport({ baseUrl: url, httpVersion: "1.1" }),
    createConnectTransport({ baseUrl: url, httpVersion: "2", useBinaryFormat: false }),
    createGrpcTransport({ baseUrl: url }),
    createGrpcWebTransport({ baseUrl: url, httpVersion: "1.1" }),
  ]) {
    const client = createClient(ResourceService, transport);
    const expected = { code: Code.Unavailable, rawMessage: STARTING };
    await expect(client.getResource({})).rejects.toMatchObject(expected);
    await expect(client.watchResources({})[Symbol.asyncIterator]().next()).rejects.toMatchObject(expected);
  }
  const rest = await fetch(`${url}/api/v1/resources`);
  expect([rest.status, rest.headers.get("retry-after"), await rest.json()]).toEqual([503, "1", { error: STARTING }]);
  const page = await fetch(url, { headers: { accept: "text/html" } });
  expect([page.status, await page.text()]).toEqual([503, expect.stringContaining(STARTING)]);
});

test("@grpc/grpc-js, too", async () => {
  const client = new Client(`127.0.0.1:${port.port}`, credentials.createInsecure());
  const bytes = (buffer: Buffer) => buffer;
  const error = await new Promise<ServiceError | null>((resolve) => {
    client.makeUnaryRequest(
      "/reconcile.v1.ResourceService/GetResource",
      bytes,
      bytes,
      Buffer.alloc(0),
      { deadline: Date.now() + 5_000 },
      resolve,
    );
  });
  client.close();
  expect(error).toMatchObject({ code: 14, details: STARTING });
});
