import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ErrorDetailSchema } from "../../../gen/reconcile/v1/error_pb.js";
import { DeletionPropagation, ResourceService } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { startServer, type TestServer } from "../../support/server.js";
import { until } from "../../support/until.js";
import { openSse, type SseStream } from "./sse-client.js";

let server: TestServer;
const streams: SseStream[] = [];
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());
afterEach(() => {
  for (const stream of streams.splice(0)) stream.close();
});

const rpc = () => createClient(ResourceService, createConnectTransport({ baseUrl: server.url, httpVersion: "2" }));

const NOBODY = "00000000-0000-4000-8000-000000000000";

interface Stored {
  readonly name: string;
  readonly uid: string;
  readonly owner: {
    readonly resource_group: string;
    readonly kind: string;
    readonly name: string;
    readonly uid: string;
  } | null;
  readonly deletion_timestamp: string | null;
  readonly finalizers: readonly string[] | null;
  readonly [field: string]: unknown;
}

const COLLECTION = "/api/v1/groups/apps/namespaces/default/kinds/widget/resources";

async function call(method: string, path: string, body?: unknown) {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const response = await fetch(server.url + path, init);
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

async function create(name: string, fields: object = {}): Promise<Stored> {
  const { status, body } = await call("POST", COLLECTION, { name, shard_id: "s1", ...fields });
  expect(status, JSON.stringify(body)).toBe(201);
  return body;
}

const get = async (name: string) => call("GET", `${COLLECTION}/${name}`);
const named = (name: string) => ({ resource_group: "apps", kind: "widget", name });
const isGone = (name: string) => until(async () => (await get(name)).status === 404, { what: `${name} goes` });

describe("over REST", () => {
  it("an owner is set by name or uid, sent back, left alone by who says nothing, and taken off by null", async () => {
    const owner = await create("parent");
    const child = await create("child", { owner: named("parent") });
    const stored = { ...named("parent"), uid: owner.uid };
    expect(child.owner).toEqual(stored);
    expect(owner.owner).toBeNull();
    const put = async (fields: object) =>
      (await call("PUT", `${COLLECTION}/child`, { shard_id: "s1", ...fields })).body;
    expect((await put(child)).owner).toEqual(stored);
    expect((await put({ spec: 1 })).owner).toEqual(stored);
    expect((await put({ owner: null })).owner).toBeNull();
    expect((await put({ owner: stored })).owner).toEqual(stored);
    const status = { shard_id: "s1", version: 5, owner: null, status: {} };
    const written = await call("PUT", `${COLLECTION}/child/status`, status);
    expect([written.status, written.body.owner]).toEqual([200, stored]);
  });

  it.each([
    [{ owner: "parent" }, "Invalid JSON: owner must be an object, or null for none"],
    [{ owner: { ...named("parent"), kind: 1 } }, "Invalid JSON: owner.kind must be a string"],
    [{ owner: { resource_group: "apps", name: "x" } }, "Validation failed: owner.kind must not be empty"],
    [{ owner: { ...named("x"), uid: "1" } }, "Validation failed: owner.uid must be a uid as the server writes it"],
    [{ owner: named("refused") }, "Validation failed: owner must not be the resource itself"],
    [{ owner: named("nobody") }, "Validation failed: owner apps/widget default/nobody does not exist"],
    [
      { owner: { ...named("fixed"), uid: NOBODY } },
      `owner apps/widget default/fixed with uid ${NOBODY} does not exist`,
    ],
    [
      { finalizers: ["reconcile.dev/foreground"] },
      "Validation failed: finalizers[0] must not begin with reconcile.dev/",
    ],
  ])("%j is refused", async (fields, words) => {
    if ((await get("fixed")).status === 404) await create("fixed");
    const { status, body } = await call("POST", COLLECTION, { name: "refused", shard_id: "s1", ...fields });
    expect([status, body.error]).toEqual([400, expect.stringContaining(words)]);
  });

  it("a resource is not given to what it owns", async () => {
    await create("top");
    await create("below", { owner: named("top") });
    const { status, body } = await call("PUT", `${COLLECTION}/top`, { shard_id: "s1", owner: named("below") });
    expect([status, body.error]).toEqual([400, expect.stringContaining("belongs to apps/widget default/top itself")]);
  });

  it("a list is narrowed to what one owns", async () => {
    const owner = await create("list-owner");
    await create("list-child", { owner: named("list-owner") });
    const list = async (uid: string) => (await call("GET", `/api/v1/resources?owner_uid=${uid}`)).body;
    expect((await list(owner.uid)).map(({ name }: Stored) => name)).toEqual(["list-child"]);
    expect(await list(NOBODY)).toEqual([]);
    expect((await call("GET", "/api/v1/resources?owner_uid=x")).body.error).toContain("owner_uid must be a uid");
    expect((await call("GET", "/api/v1/watch?owner_uid=x")).body.error).toContain("owner_uid must be a uid");
  });

  it("a watch of one owner's children sees them adopted, changed, and leave", async () => {
    const owner = await create("watch-owner");
    const before = await create("watch-before", { owner: named("watch-owner") });
    const stream = await openSse(`${server.url}/api/v1/watch?owner_uid=${owner.uid}&send_initial_state=true`);
    streams.push(stream);
    await create("watch-child");
    const put = (fields: object) => call("PUT", `${COLLECTION}/watch-child`, { shard_id: "s1", ...fields });
    await put({ owner: named("watch-owner") });
    await put({ spec: 1 });
    await put({ owner: null });
    await call("DELETE", `${COLLECTION}/watch-before`);
    const seen: string[] = [];
    while (seen.length < 6) {
      const { type, data } = await stream.next();
      seen.push(type === "SYNCED" ? type : `${type} ${(data.resource as Stored).name}`);
    }
    expect(seen).toEqual([
      "ADDED watch-before",
      "SYNCED",
      "ADDED watch-child",
      "MODIFIED watch-child",
      "DELETED watch-child",
      "DELETED watch-before",
    ]);
    expect(before.owner?.uid).toBe(owner.uid);
  });

  it("a deletion takes the children along, waits for them, or leaves them", async () => {
    for (const [word, isKept] of [
      ["", false],
      ["background", false],
      ["foreground", false],
      ["orphan", true],
    ] as const) {
      const [owner, child] = [`del-${word}`, `del-${word}-child`];
      await create(owner);
      await create(child, { owner: named(owner) });
      expect((await call("DELETE", `${COLLECTION}/${owner}?propagation=${word}`)).status).toBe(204);
      await isGone(owner);
      if (isKept) expect((await get(child)).body).toMatchObject({ owner: null, deletion_timestamp: null });
      else await isGone(child);
    }
    const { status, body } = await call("DELETE", `${COLLECTION}/del-?propagation=later`);
    expect([status, body.error]).toEqual([
      400,
      'Validation failed: propagation must be background, foreground or orphan (got "later")',
    ]);
  });

  it("the object that was read while it waits can be sent back, and the hold stays on", async () => {
    await create("wait");
    await create("wait-child", { owner: named("wait"), finalizers: ["f"] });
    await call("DELETE", `${COLLECTION}/wait?propagation=foreground`);
    const { body: read } = await get("wait");
    expect(read.finalizers).toEqual(["reconcile.dev/foreground"]);
    expect((await call("PUT", `${COLLECTION}/wait`, read)).status).toBe(200);
    expect((await call("PUT", `${COLLECTION}/wait`, { shard_id: "s1" })).body.finalizers).toEqual(read.finalizers);
    await call("PUT", `${COLLECTION}/wait-child`, { shard_id: "s1" });
    await isGone("wait");
  });
});

describe("over RPC", () => {
  const key = (name: string) => ({ resourceGroup: "apps", kind: "widget", namespace: "default", name });
  const owner = (name: string, uid = "") => ({ resourceGroup: "apps", kind: "widget", name, uid });
  const NONE = owner("");
  const detailOf = async (refused: Promise<unknown>) => {
    const error = ConnectError.from(
      await refused.then(
        () => "no error",
        (thrown: unknown) => thrown,
      ),
    );
    const { reason, field } = error.findDetails(ErrorDetailSchema)[0] ?? {};
    return { reason, field };
  };

  it("an owner is set, kept when unset, and taken off by an empty one", async () => {
    const { resource: parent } = await rpc().createResource({ resource: { key: key("rpc-parent"), shardId: "s1" } });
    const input = { key: key("rpc-child"), shardId: "s1" };
    const applied = async (of?: ReturnType<typeof owner>) =>
      (await rpc().applyResource({ resource: of === undefined ? input : { ...input, owner: of } })).resource?.owner;
    expect(await applied(owner("rpc-parent"))).toMatchObject(owner("rpc-parent", parent?.uid));
    expect(await applied()).toMatchObject({ uid: parent?.uid });
    const { resources } = await rpc().listResources({ filter: { ownerUid: parent?.uid ?? "" } });
    expect(resources.map((resource) => resource.key?.name)).toEqual(["rpc-child"]);
    expect(await applied({ ...NONE, resourceGroup: "", kind: "" })).toBeUndefined();
    expect(await detailOf(applied(owner("nobody")))).toEqual({ reason: "OWNER_NOT_FOUND", field: "owner" });
  });

  it("a deletion in the foreground waits, and its finalizer may be forced off", async () => {
    await rpc().createResource({ resource: { key: key("rpc-wait"), shardId: "s1" } });
    await rpc().createResource({
      resource: { key: key("rpc-wait-child"), shardId: "s1", finalizers: ["stuck"], owner: owner("rpc-wait") },
    });
    const { removed } = await rpc().deleteResource({
      key: key("rpc-wait"),
      propagation: DeletionPropagation.FOREGROUND,
    });
    expect(removed).toBe(false);
    const force = (name: string, finalizer: string, message = "ops: stuck", expectedUid = "") =>
      rpc().forceRemoveFinalizer({ key: key(name), finalizer, message, expectedUid });
    expect(await detailOf(force("rpc-wait-child", "other"))).toEqual({
      reason: "FINALIZER_NOT_FOUND",
      field: "finalizer",
    });
    expect(await detailOf(force("rpc-wait-child", "stuck", ""))).toEqual({ reason: "INVALID_FIELD", field: "message" });
    expect(await detailOf(force("rpc-wait-child", "stuck", "x".repeat(1_025)))).toMatchObject({ field: "message" });
    expect(await detailOf(force("rpc-wait-child", "stuck", "x", NOBODY))).toMatchObject({ reason: "UID_CONFLICT" });
    expect(await detailOf(force("rpc-nobody", "stuck"))).toMatchObject({ reason: "NOT_FOUND" });
    await until(async () => (await get("rpc-wait-child")).body.deletion_timestamp !== null);
    const forced = await force("rpc-wait-child", "stuck");
    expect(forced.removed).toBe(true);
    expect(JSON.parse(forced.resource?.annotations["reconcile.dev/forced-finalizers"] ?? "[]")).toMatchObject([
      { finalizer: "stuck", message: "ops: stuck" },
    ]);
    await isGone("rpc-wait");
  });

  it("a finalizer forced off what lives on leaves the record on it", async () => {
    await rpc().createResource({ resource: { key: key("rpc-alive"), shardId: "s1", finalizers: ["a", "b"] } });
    const { removed, resource } = await rpc().forceRemoveFinalizer({
      key: key("rpc-alive"),
      finalizer: "a",
      message: "why",
    });
    expect([removed, resource?.finalizers, resource?.generation]).toEqual([false, ["b"], 1n]);
    expect(resource?.annotations).toHaveProperty(["reconcile.dev/forced-finalizers"]);
  });

  it("a propagation of a newer contract is refused instead of guessed", async () => {
    const refused = rpc().deleteResource({ key: key("rpc-any"), propagation: 9 as DeletionPropagation });
    expect(await detailOf(refused)).toEqual({ reason: "INVALID_FIELD", field: "propagation" });
  });
});
