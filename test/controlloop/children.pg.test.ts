import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type ClientResource, createResourceClient, type ResourceClient } from "../../src/client/index.js";
import { Children } from "../../src/controlloop/children.js";
import { defineReconciler, done, runControlLoop } from "../../src/controlloop/index.js";
import { startServer, type TestServer } from "../support/server.js";
import { until } from "../support/until.js";

let server: TestServer;
let client: ResourceClient;
let parents = 0;
beforeAll(async () => {
  server = await startServer();
  client = createResourceClient(server.url);
});
afterAll(async () => {
  client.close();
  await server.stop();
});

async function openParent(signal = new AbortController().signal) {
  const key = { resourceGroup: "test", kind: "parent", namespace: "default", name: `p${++parents}` };
  const parent = await client.create({ key, shardId: "one", spec: {} });
  return { parent, children: new Children(client, parent, signal) };
}

function names(resources: readonly ClientResource[]): readonly string[] {
  return resources.map(({ key }) => `${key.kind} ${key.name}`);
}

describe("children", () => {
  it("are created beside their owner, in its shard, under its name unless they have one", async () => {
    const { parent, children } = await openParent();
    const child = await children.apply({ kind: "child", spec: { a: 1 } });
    expect(child).toMatchObject({
      key: { ...parent.key, kind: "child" },
      shardId: "one",
      owner: { kind: "parent", name: parent.key.name, uid: parent.uid },
    });
    await children.apply({ kind: "child", name: "other", spec: {} });
    await children.apply({ kind: "thing", spec: {} });
    expect(names(await children.list())).toEqual([
      `child ${parent.key.name}`,
      "child other",
      `thing ${parent.key.name}`,
    ]);
    expect(names(await children.list("thing"))).toEqual([`thing ${parent.key.name}`]);
  });

  it("are written only when something differs, and keep what their own reconciler added", async () => {
    const { children } = await openParent();
    const draft = { kind: "child", spec: { a: 1 }, labels: new Map([["tier", "web"]]) };
    const created = await children.apply(draft);
    expect((await children.apply(draft)).revision).toBe(created.revision);
    const { key, shardId, labels, spec } = created;
    await client.update({
      key,
      shardId,
      spec,
      labels: new Map([...labels, ["node", "n1"]]),
      finalizers: ["child/hold"],
    });
    const changed = await children.apply({ ...draft, spec: { a: 2 } });
    expect(changed).toMatchObject({ spec: { a: 2 }, finalizers: ["child/hold"], owner: created.owner });
    expect([...changed.labels].sort()).toEqual([
      ["node", "n1"],
      ["tier", "web"],
    ]);
    expect(await children.apply({ ...draft, spec: { a: 2 }, shardId: "two" })).toMatchObject({ shardId: "two" });
  });

  it("are never taken from somebody else; what belongs to nobody may be adopted", async () => {
    const { parent, children } = await openParent();
    const other = await openParent();
    const key = { ...parent.key, kind: "child" };
    await other.children.apply({ kind: "child", name: parent.key.name, spec: {} });
    const refused = children.apply({ kind: "child", spec: {} }, { adopt: () => true });
    await expect(refused).rejects.toMatchObject({ name: "TerminalError", reason: "NameTaken" });

    const free = await client.create({ key: { ...key, kind: "free" }, annotations: new Map([["mine", "yes"]]) });
    const adopt = (existing: ClientResource) => existing.annotations.get("mine") === "yes";
    await expect(children.apply({ kind: "free", spec: {} })).rejects.toMatchObject({ reason: "NameTaken" });
    const adopted = await children.apply({ kind: "free", spec: {} }, { adopt });
    expect(adopted).toMatchObject({ uid: free.uid, owner: { uid: parent.uid } });
  });

  it("are deleted once, and only by their owner", async () => {
    const { children } = await openParent();
    const other = await openParent();
    const child = await children.apply({ kind: "child", spec: {} });
    await expect(other.children.delete(child)).rejects.toThrow("is no child of");
    await children.delete(child);
    await children.delete(child);
    expect(await children.list()).toEqual([]);
  });

  it("are waited for until each is ready and none is on its way out", async () => {
    const { children } = await openParent();
    expect(await children.allReady()).toBe(true);
    const child = await children.apply({ kind: "child", spec: {}, finalizers: ["child/hold"] });
    expect(await children.waitingFor()).toMatchObject([{ message: "no pass yet" }]);
    const report = async (status: "True" | "False", generation: bigint) =>
      client.updateStatus(
        child.key,
        { conditions: [{ type: "Ready", status, reason: "R", message: "disk full" }] },
        { observedGeneration: generation },
      );
    await report("False", 1n);
    expect(await children.waitingFor()).toMatchObject([{ child: { uid: child.uid }, message: "disk full" }]);
    await report("True", 1n);
    expect(await children.allReady()).toBe(true);
    await client.delete(child.key);
    expect(await children.waitingFor()).toMatchObject([{ message: "it is being deleted" }]);
  });

  it("are not written once the pass has lost its lease", async () => {
    const lost = new AbortController();
    const { children } = await openParent(lost.signal);
    const child = await children.apply({ kind: "child", spec: {} });
    lost.abort(new Error("lease lost"));
    await expect(children.apply({ kind: "child", spec: { a: 1 } })).rejects.toThrow("lease lost");
    await expect(children.delete(child)).rejects.toThrow("lease lost");
    expect((await client.get(child.key))?.generation).toBe(1n);
  });

  it("make their owner due when they change, and go with it, without a watch, timer or finalizer", async () => {
    const seen: string[][] = [];
    const loop = runControlLoop({
      serverUrl: server.url,
      logger: pino({ level: "silent" }),
      reconcilers: [
        defineReconciler({
          name: "family",
          resourceGroup: "test",
          kind: "family",
          async reconcile(_, { children }) {
            await children.apply({ kind: "kid", spec: {} });
            seen.push((await children.waitingFor()).map(({ message }) => message));
            return done();
          },
        }),
      ],
    });
    onTestFinished(() => loop.stop());
    const key = { resourceGroup: "test", kind: "family", namespace: "default", name: "f" };
    await client.create({ key, spec: {} });
    const kid = await until(() => client.get({ ...key, kind: "kid" }));
    await client.updateStatus(
      kid.key,
      { conditions: [{ type: "Ready", status: "True", reason: "R", message: "" }] },
      { observedGeneration: 1n },
    );
    await until(() => seen.at(-1)?.length === 0);
    await client.delete(key);
    await until(async () => (await client.get(kid.key)) === undefined);
  });
});
