import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createResourceClient, type ResourceClient } from "../../src/client/index.js";
import { defineReconciler, done, type ReconcilerDefinition, requeueAfter } from "../../src/controlloop/index.js";
import { createTestLoop } from "../../src/testing/index.js";
import { startServer, type TestServer } from "../support/server.js";

interface Spec {
  readonly size: number;
}
interface Status {
  readonly size: number;
}

let server: TestServer;
let client: ResourceClient;
let kinds = 0;
beforeAll(async () => {
  server = await startServer();
  client = createResourceClient(server.url);
});
afterAll(async () => {
  client.close();
  await server.stop();
});

function open(definition: Omit<ReconcilerDefinition<Spec, Status>, "name" | "resourceGroup" | "kind">) {
  const kind = `thing${++kinds}`;
  const reconciler = defineReconciler({ name: `${kind}-reconciler`, resourceGroup: "test", kind, ...definition });
  const loop = createTestLoop<Status>(server, reconciler);
  onTestFinished(() => loop.close());
  return { loop, key: { resourceGroup: "test", kind, namespace: "default", name: "a" } };
}

describe("a test loop", () => {
  it("steps when it is told to, and says what became of the resource", async () => {
    const { loop, key } = open({ reconcile: ({ spec }) => done({ size: spec.size }) });
    expect(await loop.step()).toBeUndefined();
    await client.create({ key, spec: { size: 1 } });
    expect(await loop.step()).toMatchObject({
      key,
      result: "success",
      status: { size: 1 },
      attempt: 1,
      reason: "CREATED",
      error: "",
      resource: { observedGeneration: 1n },
    });
    expect(await loop.step()).toBeUndefined();
  });

  it("does not come back to a failure or a requeue by itself; enqueue makes it due", async () => {
    let passes = 0;
    const { loop, key } = open({
      backoffBaseMs: 1,
      reconcile() {
        if (++passes === 1) throw new Error("not yet");
        return passes === 2 ? requeueAfter(60_000) : done();
      },
    });
    await client.create({ key, spec: { size: 1 } });
    expect(await loop.settle()).toMatchObject([{ result: "error", error: "not yet" }]);
    await client.enqueue(key, "now");
    expect(await loop.settle()).toMatchObject([{ result: "requeue_after", requeueAfterMs: 60_000, attempt: 2 }]);
    await client.enqueue(key, "now");
    expect(await loop.settle()).toMatchObject([{ result: "success" }]);
  });

  it("settles over many, lets a deleted one go, and says when there is no end of it", async () => {
    const { loop, key } = open({
      finalizer: "test/thing",
      async reconcile(resource, { isDeleting }) {
        if (!isDeleting && resource.spec.size === 0) await client.enqueue(resource.key, "again");
        return done();
      },
    });
    for (const name of ["a", "b", "c"]) await client.create({ key: { ...key, name }, spec: { size: 1 } });
    expect((await loop.settle()).map(({ key }) => key.name).sort()).toEqual(["a", "b", "c"]);
    await client.delete(key);
    expect(await loop.settle()).toMatchObject([{ reason: "DELETION_REQUESTED", resource: undefined, status: null }]);
    await client.create({ key: { ...key, name: "d" }, spec: { size: 0 } });
    await expect(loop.settle(3)).rejects.toThrow("not settled after 3 steps; the last was over");
  });

  it("runs passes as a control loop does: panics, refused reports and invalid specs are told, not thrown", async () => {
    const { loop, key } = open({
      parseSpec(spec) {
        if (typeof spec !== "object" || spec === null || !("size" in spec)) throw new Error("spec.size is missing");
        return { size: Number(spec.size) };
      },
      reconcile: () => done({ size: "x".repeat(1_100_000) as unknown as number }),
    });
    await client.create({ key, spec: {} });
    expect(await loop.step()).toMatchObject({ result: "terminal_error" });
    await client.apply({ key, spec: { size: 1 } });
    expect(await loop.step()).toMatchObject({
      result: "error",
      error: expect.stringContaining("must be at most 1048576 bytes"),
    });
  });

  it("saves progress, which GetWork shows and the next pass gets, until one succeeds", async () => {
    const seen: unknown[] = [];
    const { loop, key } = open({
      async reconcile(_, { saveProgress, checkpoint, progress }) {
        seen.push([checkpoint && new TextDecoder().decode(checkpoint), progress]);
        if (seen.length !== 1) return done();
        const isSaved = await saveProgress({ message: "half", checkpoint: new TextEncoder().encode("abc") });
        seen.push([isSaved, (await client.getWork(key)).item?.progress]);
        throw new Error("later");
      },
    });
    await client.create({ key, spec: { size: 1 } });
    for (const result of ["error", "success", "success"]) {
      expect(await loop.step()).toMatchObject({ result });
      await client.enqueue(key, "now");
    }
    expect(seen).toEqual([
      [undefined, ""],
      [true, "half"],
      ["abc", "half"],
      [undefined, ""],
    ]);
  });
});
