import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WorkState } from "../../../gen/reconcile/v1/reconciler_service_pb.js";
import { PayloadEncoding } from "../../../gen/reconcile/v1/resource_pb.js";
import { ResourceService } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { connect } from "../../../src/client/connect.js";
import { createResourceClient, type ResourceClient } from "../../../src/client/index.js";
import { startServer, type TestServer } from "../../support/server.js";

let server: TestServer;
let client: ResourceClient;
beforeAll(async () => {
  server = await startServer();
  client = createResourceClient(server.url);
});
afterAll(async () => {
  client.close();
  await server.stop();
});

const keyOf = (name: string) => ({ resourceGroup: "apps", kind: "widget", namespace: "default", name });
const COLLECTION = "/api/v1/groups/apps/namespaces/default/kinds/widget/resources";

async function rest(method: string, path: string, body?: unknown) {
  const response = await fetch(server.url + path, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text), headers: response.headers };
}

describe("dry runs", () => {
  test("over RPC tell what would be stored, and what is", async () => {
    const draft = { key: keyOf("dry"), spec: { n: 1 } };
    const created = await client.apply(draft, { dryRun: true });
    expect(created).toMatchObject({ result: "CREATED", previous: undefined, resource: { uid: "", revision: 0n } });
    expect(await client.get(draft.key)).toBeUndefined();
    const stored = await client.create(draft);
    const changed = await client.apply({ ...draft, spec: { n: 2 } }, { dryRun: true });
    expect(changed).toMatchObject({
      result: "UPDATED",
      isChanged: true,
      resource: { specJson: '{"n":2}', generation: 2n },
    });
    expect(changed.previous).toEqual(stored);
    expect((await client.apply(draft)).previous).toBeUndefined();
    await client.update({ ...draft, spec: 3 }, { dryRun: true });
    await client.updateStatus(draft.key, 4, { dryRun: true });
    expect(await client.delete(draft.key, { dryRun: true })).toMatchObject({ removed: true });
    await expect(client.create(draft, { dryRun: true })).rejects.toMatchObject({ reason: "ALREADY_EXISTS" });
    await expect(client.forceRemoveFinalizer(draft.key, "f", "x", { dryRun: true })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    expect(await client.get(draft.key)).toEqual(stored);
  });

  test("over REST answer with the same statuses, and a word that is neither true nor false writes nothing", async () => {
    const path = `${COLLECTION}/rest`;
    const body = { name: "rest", shard_id: "s", spec: 1, version: 1 };
    expect(await rest("POST", `${COLLECTION}?dry_run=true`, body)).toMatchObject({ status: 201, body: { uid: "" } });
    expect((await rest("GET", path)).status).toBe(404);
    expect((await rest("POST", `${COLLECTION}?dry_run=false`, body)).status).toBe(201);
    const stored = await rest("GET", path);
    const updated = await rest("PUT", `${path}?dry_run=1`, { ...body, spec: 2 });
    expect(updated).toMatchObject({ status: 200, body: { spec: 2, version: 2, revision: stored.body.revision } });
    const reported = await rest("PUT", `${path}/status?dry_run=true`, { ...body, status: "up" });
    expect(reported).toMatchObject({ status: 200, body: { status: "up" } });
    expect((await rest("DELETE", `${path}?dry_run=true`)).status).toBe(204);
    expect((await rest("POST", `${path}/release?dry_run=true`)).status).toBe(400);
    for (const misspelt of ["dryRun=true", "dry-run=true", "dry%5Frum=true"]) {
      const refused = await rest("DELETE", `${path}?${misspelt}`);
      expect(refused).toMatchObject({ status: 400, body: { error: expect.stringContaining("did you mean dry_run?") } });
    }
    for (const word of ["yes", "", "TRUE "]) {
      const refused = await rest("DELETE", `${path}?dry_run=${encodeURIComponent(word)}`);
      expect(refused).toMatchObject({
        status: 400,
        body: { error: expect.stringContaining("dry_run must be true or false") },
      });
    }
    expect((await rest("GET", path)).body).toEqual(stored.body);
  });
});

describe("history", () => {
  test("is the same by RPC and REST, page by page", async () => {
    const key = keyOf("past");
    for (const n of [1, 2, 3]) await client.apply({ key, spec: n });
    await client.delete(key);
    const entries = [];
    for await (const entry of client.history(key, { pageSize: 2 })) entries.push(entry);
    expect(entries.map(({ type, resource }) => [type, resource.spec])).toEqual([
      ["DELETED", 3],
      ["MODIFIED", 3],
      ["MODIFIED", 2],
      ["ADDED", 1],
    ]);
    const first = await rest("GET", `${COLLECTION}/past/history?page_size=3`);
    const token = first.headers.get("next-page-token") ?? "";
    const second = await rest("GET", `${COLLECTION}/past/history?page_size=3&page_token=${token}`);
    expect(second.headers.has("next-page-token")).toBe(false);
    expect(
      [...first.body, ...second.body].map(({ type, revision, committed_at, resource }) => [
        type,
        revision,
        committed_at,
        resource.spec,
      ]),
    ).toEqual(
      entries.map(({ type, revision, committedAt, resource }) => [
        type,
        Number(revision),
        committedAt.toISOString(),
        resource.spec,
      ]),
    );
    const foreign = await rest("GET", `${COLLECTION}/other/history?page_token=${token}`);
    expect(foreign).toMatchObject({ status: 400, body: { error: expect.stringContaining("another resource") } });
  });
});

test("summaries have no spec, and of the status only its conditions, in reads, lists, watches and writes", async () => {
  const key = keyOf("table");
  const conditions = '"conditions":[{"type":"Ready","status":"False"}]';
  await client.create({ key, spec: { large: true } });
  await client.updateStatus(key, JSON.parse(`{"phase":"x",${conditions}}`));
  const api = createClient(ResourceService, createConnectTransport({ baseUrl: server.url, httpVersion: "2" }));
  const { resource } = await api.getResource({ key, payloadEncoding: PayloadEncoding.SUMMARY });
  expect(resource).toMatchObject({ specJson: "", statusJson: `{${conditions}}` });
  expect([resource?.spec, resource?.status]).toEqual([undefined, undefined]);
  const plain = await api.applyResource({
    resource: { key: keyOf("plain"), shardId: "s" },
    payloadEncoding: PayloadEncoding.SUMMARY,
  });
  expect(plain.resource).toMatchObject({ specJson: "", statusJson: "" });

  for await (const listed of client.list({ name: "table" }, { isSummary: true })) {
    expect(listed).toMatchObject({ specJson: "null", statusJson: `{${conditions}}` });
  }
  const options = { sendInitialState: true, isSummary: true, signal: AbortSignal.timeout(10_000) };
  for await (const { events } of client.watch({ name: "table" }, options)) {
    if (events.some(({ type }) => type === "SYNCED")) break;
    for (const event of events) {
      expect(event).toMatchObject({ type: "ADDED", resource: { specJson: "null", statusJson: `{${conditions}}` } });
    }
  }
});

test("the server tells how it and what it stands on are, in JSON too", async () => {
  const status = await client.serverStatus();
  expect(status).toMatchObject({
    programSchema: status.storeSchema,
    postgres: { state: "OK", version: expect.stringMatching(/^18/), message: "" },
    redis: { state: "DISABLED" },
    logs: [{ logId: 0, floorRevision: 0n }],
  });
  expect(status.postgres.roundTripMs).toBeGreaterThan(0);
  const response = await fetch(`${server.url}/reconcile.v1.ServerService/GetServerStatus`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  expect(await response.json()).toMatchObject({ storeId: status.storeId, postgres: { state: "DEPENDENCY_STATE_OK" } });
});

describe("kinds, work and sessions", () => {
  test("are told alike by RPC and REST", async () => {
    const connection = connect(server.url);
    const kind = { resourceGroup: "apps", kind: "job" };
    const { sessionId } = await connection.reconcilers.register({
      name: "jobs",
      instanceId: "one",
      kinds: [kind],
      shardIds: ["s"],
    });
    for (const name of ["a", "b"]) await client.create({ key: { ...kind, namespace: "default", name }, shardId: "s" });
    await connection.reconcilers.lease({ sessionId, maxItems: 1 });
    const work = [];
    for await (const item of client.listWork(kind)) work.push(item);
    expect(work.map(({ state, holderSessionId }) => [state, holderSessionId]).sort()).toEqual([
      ["DUE", ""],
      ["LEASED", sessionId],
    ]);
    for (const state of ["DUE", "LEASED", "WAITING", "QUARANTINED"] as const) {
      const found = [];
      for await (const item of client.listWork({ ...kind, state })) found.push(item);
      expect(found).toEqual(work.filter((item) => item.state === state));
    }
    await expect(connection.reconcilers.listWork({ state: WorkState.SETTLED })).rejects.toSatisfy(
      (error) => ConnectError.from(error).code === Code.InvalidArgument,
    );
    expect(await client.reconcilers()).toMatchObject([
      { name: "jobs", instanceId: "one", kinds: [kind], shardIds: ["s"], leases: 1, concurrency: 16, passes: 0 },
    ]);

    const { kinds } = await client.kinds();
    const jobs = kinds.find((summary) => summary.kind === "job");
    expect(jobs).toMatchObject({ resources: 2, pending: 2, due: 1, leased: 1, reconciler: "jobs", sessions: 1 });
    const { body } = await rest("GET", "/api/v1/kinds");
    expect(body.kinds.find((summary: { kind: string }) => summary.kind === "job")).toMatchObject({
      resources: 2,
      not_ready: 0,
      leased: 1,
      oldest_due_at: jobs?.oldestDueAt?.toISOString(),
      reconciler: "jobs",
    });
    connection.close();
  });
});
