import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorDetailSchema } from "../../../gen/reconcile/v1/error_pb.js";
import { PayloadEncoding } from "../../../gen/reconcile/v1/resource_pb.js";
import { ApplyResult, EventType, ResourceService } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { startServer, type TestServer } from "../../support/server.js";

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ config: { logCount: 4 } });
});
afterAll(() => server.stop());

const PROTOCOLS: Record<string, (baseUrl: string) => Transport> = {
  "Connect JSON over HTTP/1.1": (baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  "Connect binary over HTTP/2": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }),
  // By default Node resets a stream that has more than 10 MB to send.
  gRPC: (baseUrl) => createGrpcTransport({ baseUrl, nodeOptions: { maxSessionMemory: 1000 } }),
};
const COUNT = 10_000;

let kinds = 0;

async function errorOf(call: Promise<unknown>): Promise<ConnectError> {
  return call.then(
    () => Promise.reject(new Error("the call succeeded")),
    (error: unknown) => ConnectError.from(error),
  );
}

describe.each(Object.entries(PROTOCOLS))("ApplyResources, %s", (_name, transport) => {
  let client: Client<typeof ResourceService>;
  let kind: string;
  const input = (name: string, changes: object = {}) => ({
    key: { resourceGroup: "bulk", kind, namespace: "default", name },
    shardId: `shard-${name.length}`,
    specJson: "1",
    ...changes,
  });
  beforeAll(() => {
    client = createClient(ResourceService, transport(server.url));
    kind = `kind-${++kinds}`;
  });

  test("takes 10,000 resources of a kilobyte, which a watch sees once each and in order", {
    timeout: 60_000,
  }, async () => {
    const cut = new AbortController();
    const watch = client.watchResources(
      { filter: { kind }, sendInitialState: true, payloadEncoding: PayloadEncoding.SUMMARY },
      { signal: cut.signal },
    );
    const seen: string[] = [];
    const disordered: bigint[] = [];
    const revisions = new Map<string, bigint>();
    const watching = (async () => {
      for await (const { events } of watch) {
        for (const { type, resource, revision } of events) {
          if (type !== EventType.ADDED || resource === undefined) continue;
          if (revision <= (revisions.get(resource.shardId) ?? 0n)) disordered.push(revision);
          revisions.set(resource.shardId, revision);
          seen.push(resource.key?.name ?? "");
        }
        if (seen.length >= COUNT) return;
      }
    })();
    const spec = { text: "x".repeat(900) };
    const resources = Array.from({ length: COUNT }, (_, n) =>
      input(`r-${n}`, { specJson: JSON.stringify({ n, ...spec }) }),
    );
    const { results, failure } = await client.applyResources({ resources });
    expect(failure).toBeUndefined();
    expect(results).toHaveLength(COUNT);
    expect(new Set(results.map(({ result }) => result))).toEqual(new Set([ApplyResult.CREATED]));
    expect(results.every(({ generation, resource }) => generation === 1n && resource === undefined)).toBe(true);
    const { resource } = await client.getResource({
      key: resources[4_321]?.key,
      payloadEncoding: PayloadEncoding.JSON,
    });
    expect(resource).toMatchObject({ uid: results[4_321]?.uid, revision: results[4_321]?.revision });
    expect(resource?.specJson).toBe(resources[4_321]?.specJson);
    await watching;
    cut.abort();
    expect(seen).toHaveLength(COUNT);
    expect(new Set(seen).size).toBe(COUNT);
    expect(disordered).toEqual([]);

    const again = await client.applyResources({ resources });
    expect(new Set(again.results.map(({ result }) => result))).toEqual(new Set([ApplyResult.UNCHANGED]));
    expect(again.results.map(({ revision }) => revision)).toEqual(results.map(({ revision }) => revision));
  });

  test("writes nothing when one is wrong, and says which and what", async () => {
    const resources = [input("fine"), input(""), input("fine")];
    const error = await errorOf(client.applyResources({ resources }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toBe("resources[1].key.name must not be empty");
    const { reason, field } = error.findDetails(ErrorDetailSchema)[0] ?? {};
    expect({ reason, field }).toEqual({ reason: "INVALID_FIELD", field: "resources[1].key.name" });
    expect((await errorOf(client.getResource({ key: input("fine").key }))).code).toBe(Code.NotFound);
  });

  test("answers with the runs that were written, and the one that was not", async () => {
    const resources = Array.from({ length: 600 }, (_, n) => input(`part-${n}`));
    resources[550] = input("part-550", { owner: { resourceGroup: "bulk", kind, name: "nobody" } });
    const { results, failure } = await client.applyResources({ resources });
    expect(results).toHaveLength(500);
    expect(failure).toMatchObject({
      code: "failed_precondition",
      reason: "OWNER_NOT_FOUND",
      field: "resources[550].owner",
      message: `resources[550].owner bulk/${kind} default/nobody does not exist; create it first, in the same namespace`,
      count: 100,
      isOutcomeUnknown: false,
    });
    const error = await errorOf(client.applyResources({ resources: resources.slice(500) }));
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toMatch(/^resources\[50\]\.owner /);
  });

  test("shows in a dry run what would change, and writes nothing", async () => {
    await client.applyResources({ resources: [input("old")] });
    const { results } = await client.applyResources({
      resources: [input("old", { specJson: "2" }), input("new")],
      dryRun: true,
      includeResources: true,
      payloadEncoding: PayloadEncoding.JSON,
    });
    expect(results.map(({ result }) => result)).toEqual([ApplyResult.UPDATED, ApplyResult.CREATED]);
    expect(results[0]?.previous?.specJson).toBe("1");
    expect(results[0]?.resource?.specJson).toBe("2");
    expect(results[1]).toMatchObject({ uid: "", revision: 0n });
    expect(results[1]?.previous).toBeUndefined();
    expect((await errorOf(client.getResource({ key: input("new").key }))).code).toBe(Code.NotFound);
  });

  test("has a limit of its own for the size of a call", async () => {
    const specJson = JSON.stringify("x".repeat(1_000_000));
    const large = Array.from({ length: 6 }, (_, n) => input(`large-${n}`, { specJson }));
    expect((await client.applyResources({ resources: large })).results).toHaveLength(6);
    const tooLarge = Array.from({ length: 34 }, (_, n) => input(`large-${n}`, { specJson }));
    expect((await errorOf(client.applyResources({ resources: tooLarge }))).code).toBe(Code.ResourceExhausted);
  });
});
