/** What one JSON object says twice is refused with its path on every protocol, and readers show what older servers stored. */
import { Code, ConnectError } from "@connectrpc/connect";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PassResult, ReportOutcome } from "../../../gen/reconcile/v1/reconciler_service_pb.js";
import { PayloadEncoding } from "../../../gen/reconcile/v1/resource_pb.js";
import { connect } from "../../../src/client/connect.js";
import type { Connection } from "../../../src/client/connection.js";
import { startServer, type TestServer } from "../../support/server.js";

let server: TestServer;
let connection: Connection;
beforeAll(async () => {
  server = await startServer();
  connection = connect(server.url);
});
afterAll(async () => {
  connection.close();
  await server.stop();
});

const COLLECTION = "/api/v1/groups/g/namespaces/n/kinds/k/resources";
const key = (name: string) => ({ resourceGroup: "g", kind: "k", namespace: "n", name });
const TWICE = "must not be given twice in one object; remove all but one";

async function rest(method: string, path: string, body: string) {
  const response = await fetch(`${server.url}${COLLECTION}${path}`, { method, body });
  const answer = (await response.json()) as { error?: string };
  return { status: response.status, error: answer.error, answer };
}

async function connectJson(method: string, body: string) {
  const response = await fetch(`${server.url}/reconcile.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  const { code, message } = (await response.json()) as { code: string; message: string };
  return { status: response.status, code, message };
}

describe("REST refuses with 400", () => {
  test.each([
    ['{"name":"a","shard_id":"s","name":"b"}', "name"],
    ['{"name":"a","shard_id":"s","shard_\\u0069d":"t"}', "shard_id"],
    ['{"name":"a","shard_id":"s","spec":{},"spec":{}}', "spec"],
    ['{"name":"a","shard_id":"s","labels":{"a":"1","b":"2","\\u0061":"1"}}', "labels.a"],
    ['{"name":"a","shard_id":"s","annotations":{"x/y":"1","x/y":"2"}}', 'annotations["x/y"]'],
    ['{"name":"a","shard_id":"s","owner":{"kind":"x","kind":"y"}}', "owner.kind"],
    ['{"name":"a","shard_id":"s","spec":{"a":1,"\\u0061":2}}', "spec.a"],
    ['{"name":"a","shard_id":"s","spec":{"list":[{},{"b c":1,"b c":1}]}}', 'spec.list[1]["b c"]'],
  ])("%s", async (body, path) => {
    const { status, error } = await rest("POST", "", body);
    expect([status, error]).toEqual([400, `Validation failed: ${path} ${TWICE}`]);
    expect((await rest("POST", "?dry_run=true", body)).error).toBe(error);
  });

  test("a status, and nothing of it is stored", async () => {
    await rest("POST", "", '{"name":"status","shard_id":"s"}');
    const { status, error } = await rest(
      "PUT",
      "/status/status",
      '{"shard_id":"s","version":1,"status":{"a":1,"a":2}}',
    );
    expect([status, error]).toEqual([400, `Validation failed: status.a ${TWICE}`]);
    expect((await rest("PUT", "/status", '{"shard_id":"s","version":1,"version":1}')).error).toContain(
      `version ${TWICE}`,
    );
    expect(await (await fetch(`${server.url}${COLLECTION}/status`)).json()).toMatchObject({
      status: null,
      write_count: 1,
    });
  });

  test("a byte order mark is skipped", async () => {
    expect(await rest("POST", "", '\ufeff{"name":"bom","shard_id":"s"}')).toMatchObject({ status: 201 });
  });
});

describe("RPC refuses as INVALID_ARGUMENT", () => {
  test.each([
    ['{"resource":{"key":{"name":"a","name":"b"}}}', "resource.key.name"],
    ['{"resource":{"labels":{"a":"1","\\u0061":"2"}}}', "resource.labels.a"],
    ['{"resource":{"spec":{"x":{"a":1,"a":2}}}}', "resource.spec.x.a"],
    ['{"resource":{"shardId":"s"},"resource":{}}', "resource"],
  ])("over Connect JSON %s", async (body, path) => {
    const refusal = {
      status: 400,
      code: "invalid_argument",
      message: `the request must be well-formed: ${path} ${TWICE}`,
    };
    expect(await connectJson("ResourceService/CreateResource", body)).toEqual(refusal);
  });

  test("over gRPC in the texts of spec and status", async () => {
    const { resources } = connection;
    const inputs = [{ key: key("rpc"), shardId: "s", specJson: '{"a":{"b":1,"\\u0062":2}}' }];
    const refusals = await Promise.all([
      resources.createResource({ resource: inputs[0] }).catch(ConnectError.from),
      resources.applyResource({ resource: inputs[0] }).catch(ConnectError.from),
      resources.applyResources({ resources: inputs }).catch(ConnectError.from),
      resources.updateResourceStatus({ key: key("rpc"), statusJson: '{"a":1,"a":2}' }).catch(ConnectError.from),
    ]);
    expect(refusals.map((error) => error instanceof ConnectError && [error.code, error.rawMessage])).toEqual([
      [Code.InvalidArgument, `spec.a.b ${TWICE}`],
      [Code.InvalidArgument, `spec.a.b ${TWICE}`],
      [Code.InvalidArgument, `resources[0].spec.a.b ${TWICE}`],
      [Code.InvalidArgument, `status.a ${TWICE}`],
    ]);
  });

  test("in the status of a report, alone", async () => {
    const { resources, reconcilers } = connection;
    const kind = { resourceGroup: "g", kind: "passes" };
    await resources.createResource({ resource: { key: { ...kind, namespace: "n", name: "a" }, shardId: "s" } });
    const { sessionId } = await reconcilers.register({ name: "r", instanceId: "1", kinds: [kind] });
    const [item] = (await reconcilers.lease({ sessionId, maxItems: 1 })).items;
    const about = { key: item?.resource?.key ?? {}, leaseToken: item?.leaseToken ?? "", result: PassResult.SUCCESS };
    const report = async (statusJson: string) =>
      (await reconcilers.report({ sessionId, reports: [{ ...about, observedGeneration: 1n, statusJson }] })).results[0];
    expect(await report('{"a":{"b":1,"b":1}}')).toMatchObject({
      outcome: ReportOutcome.INVALID,
      message: `status.a.b ${TWICE}`,
    });
    expect(await report('{"a":{"b":1}}')).toMatchObject({ outcome: ReportOutcome.ACCEPTED });
  });
});

test("what an older server stored is read, and replaced by an apply of what it is read as", async () => {
  const { resources } = connection;
  const old = '{"a":1,"b":{"c":1,"c":2},"a":3}';
  await resources.createResource({ resource: { key: key("old"), shardId: "s", specJson: "{}" } });
  const sql = new pg.Client({ connectionString: server.databaseUrl });
  await sql.connect();
  await sql.query("UPDATE resources SET spec = $1, status = $1 WHERE name = 'old'", [old]);
  await sql.end();

  const read = { key: key("old") };
  const text = await resources.getResource({ ...read, payloadEncoding: PayloadEncoding.JSON });
  expect([text.resource?.specJson, text.resource?.statusJson]).toEqual([old, old]);
  const { resource } = await resources.getResource(read);
  expect(resource?.spec?.kind).toMatchObject({ case: "structValue", value: { fields: { a: { kind: { value: 3 } } } } });

  // A body that was read and is sent back: what the request ignores is not looked at.
  const body = await (await fetch(`${server.url}${COLLECTION}/old`)).text();
  expect(await rest("PUT", "/old", body)).toMatchObject({ status: 400, error: `Validation failed: spec.b.c ${TWICE}` });

  const specJson = '{"a":3,"b":{"c":2}}';
  await resources.applyResource({ resource: { key: key("old"), shardId: "s", specJson } });
  const healed = await resources.getResource({ ...read, payloadEncoding: PayloadEncoding.JSON });
  expect([healed.resource?.specJson, healed.resource?.generation]).toEqual([specJson, 2n]);
});
