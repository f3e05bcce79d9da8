import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorDetailSchema } from "../../../gen/reconcile/v1/error_pb.js";
import {
  PassResult,
  ReportOutcome,
  StatusMode,
  WorkReason,
  WorkState,
} from "../../../gen/reconcile/v1/reconciler_service_pb.js";
import { connect } from "../../../src/client/connect.js";
import type { Connection } from "../../../src/client/connection.js";
import { createResourceClient } from "../../../src/client/index.js";
import { startServer } from "../../support/server.js";

let server: Awaited<ReturnType<typeof startServer>>;
let connection: Connection;
let sql: pg.Client;
beforeAll(async () => {
  server = await startServer();
  connection = connect(server.url);
  sql = new pg.Client({ connectionString: server.databaseUrl });
  await sql.connect();
});
afterAll(async () => {
  connection.close();
  await sql.end();
  await server.stop();
});

const COLLECTION = "/api/v1/groups/apps/namespaces/default/kinds/widget/resources";
const key = (name: string) => ({ resourceGroup: "apps", kind: "widget", namespace: "default", name });

async function create(name: string, finalizers: string[] = []) {
  const client = createResourceClient(server.url);
  await client.create({ key: key(name), spec: {}, finalizers });
  await client.close();
}

async function rest(method: string, path: string) {
  const response = await fetch(`${server.url}${COLLECTION}/${path}`, { method });
  return { status: response.status, body: await response.json() };
}

const quarantine = (name: string) =>
  sql.query(
    `UPDATE work_items SET quarantined_at = now(), strikes = 5, deaths = 6, last_error = 'worker w/1 died',
      due_at = now() + interval '10 minutes' WHERE name = $1`,
    [name],
  );

describe("GetWork", () => {
  test("over RPC: state, item, holds", async () => {
    await create("rpc", ["foreign"]);
    await quarantine("rpc");
    const work = await connection.reconcilers.getWork({ key: key("rpc") });
    expect(work).toMatchObject({
      state: WorkState.QUARANTINED,
      item: { key: key("rpc"), reason: WorkReason.CREATED, strikes: 5, progress: "", lastError: "worker w/1 died" },
      reconciler: "",
      finalizers: [{ finalizer: "foreign", owner: "", isOwnerLive: false }],
      ownedResources: 0,
    });
    expect(work.holder).toBeUndefined();
    expect(work.deletionRequestedAt).toBeUndefined();
    for (const time of [work.item?.pendingSince, work.item?.quarantinedAt]) {
      expect(Math.abs(Date.now() - (time === undefined ? 0 : timestampDate(time).getTime()))).toBeLessThan(60_000);
    }
    const { items } = await connection.reconcilers.listWork({ resourceGroup: "apps", kind: "widget" });
    expect(items.find((item) => item.key?.name === "rpc")).toEqual(work.item);
    const missing = await connection.reconcilers.getWork({ key: key("nothing") }).catch(ConnectError.from);
    expect(missing).toMatchObject({ code: Code.NotFound });
  });

  test("over REST: every field, in the dialect's names", async () => {
    await create("rest", ["foreign"]);
    const { status, body } = await rest("GET", "rest/work");
    expect(status).toBe(200);
    expect(body).toEqual({
      state: "DUE",
      item: {
        due_at: expect.stringMatching(/Z$/),
        reason: "CREATED",
        message: "",
        failures: 0,
        last_error: "",
        leased_at: null,
        deadline: null,
        pending_since: expect.stringMatching(/Z$/),
        strikes: 0,
        quarantined_at: null,
        progress: "",
      },
      holder: null,
      reconciler: null,
      deletion_timestamp: null,
      finalizers: [{ finalizer: "foreign", owner: null, is_owner_live: false, message: expect.any(String) }],
      owned_resources: 0,
    });
    expect(await rest("GET", "nothing/work")).toMatchObject({ status: 404 });
    expect(await rest("POST", "rest/work")).toMatchObject({ status: 405 });
  });
});

describe("ReleaseQuarantine", () => {
  test("over RPC", async () => {
    await create("release-rpc");
    const refused = await connection.reconcilers
      .releaseQuarantine({ key: key("release-rpc") })
      .catch(ConnectError.from);
    expect(refused).toMatchObject({ code: Code.FailedPrecondition });
    expect((refused as ConnectError).findDetails(ErrorDetailSchema)).toMatchObject([{ reason: "NOT_QUARANTINED" }]);
    await quarantine("release-rpc");
    await connection.reconcilers.releaseQuarantine({ key: key("release-rpc") });
    const { state, item } = await connection.reconcilers.getWork({ key: key("release-rpc") });
    expect([state, item?.reason, item?.strikes]).toEqual([WorkState.DUE, WorkReason.RELEASED, 0]);
  });

  test("over REST, with the resource as its answer", async () => {
    await create("release-rest");
    await quarantine("release-rest");
    expect(await rest("POST", "release-rest/release")).toMatchObject({
      status: 200,
      body: { name: "release-rest", version: 1, current_version: 0 },
    });
    expect(await rest("POST", "release-rest/release")).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("apps/widget default/release-rest is not quarantined") },
    });
    expect(await rest("POST", "nothing/release")).toMatchObject({ status: 404 });
    expect(await rest("GET", "release-rest/release")).toMatchObject({ status: 405 });
  });
});

test("a worker's checkpoint, progress and merged status go over the wire", async () => {
  const { reconcilers: api } = connection;
  const kind = { resourceGroup: "apps", kind: "gadget" };
  const gadget = { ...kind, namespace: "default", name: "a" };
  const client = createResourceClient(server.url);
  await client.create({ key: gadget, spec: {} });
  const { sessionId } = await api.register({ name: "gadgets", instanceId: "1", kinds: [kind] });
  const lease = async () => {
    const [item] = (await api.lease({ sessionId, maxItems: 1 })).items;
    if (item === undefined) throw new Error("nothing came due");
    return item;
  };
  const held = await lease();
  expect([held.checkpoint.length, held.progress]).toEqual([0, ""]);
  const { leaseToken } = held;
  const checkpoint = new Uint8Array([0, 255, 7]);
  await api.renew({ sessionId, leaseTokens: [leaseToken], progress: [{ leaseToken, message: "3 of 7", checkpoint }] });
  expect((await api.getWork({ key: gadget })).item?.progress).toBe("3 of 7");
  const report = async (token: string, fields: object) => {
    const { results } = await api.report({ sessionId, reports: [{ key: gadget, leaseToken: token, ...fields }] });
    return results[0]?.outcome;
  };
  const half = { result: PassResult.RELEASE, statusJson: '{"a":12345678901234567890,"b":{"c":1}}' };
  expect(await report(leaseToken, half)).toBe(ReportOutcome.ACCEPTED);
  const again = await lease();
  expect([[...again.checkpoint], again.progress]).toEqual([[0, 255, 7], "3 of 7"]);
  const whole = {
    result: PassResult.SUCCESS,
    observedGeneration: 1n,
    statusMode: StatusMode.MERGE,
    statusJson: '{"b":{"c":null,"d":2}}',
  };
  expect(await report(again.leaseToken, { ...whole, statusMode: 9 })).toBe(ReportOutcome.INVALID);
  expect(await report(again.leaseToken, whole)).toBe(ReportOutcome.ACCEPTED);
  expect((await client.get(gadget))?.statusJson).toBe('{"a":12345678901234567890,"b":{"d":2}}');
  await client.close();
});
