import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { connect } from "../../src/client/connect.js";
import type { Connection } from "../../src/client/connection.js";
import { createResourceClient, type ResourceClient } from "../../src/client/index.js";
import {
  defineReconciler,
  done,
  isReady,
  type PassOutcome,
  type ReconcileContext,
  type ReconcilerDefinition,
  requeueAfter,
  runControlLoop,
} from "../../src/controlloop/index.js";
import { until } from "../support/until.js";
import { openServer, type RestartableServer } from "./open-server.js";

interface Spec {
  readonly size: number;
}
interface Status {
  readonly size: number;
}

let server: RestartableServer;
let client: ResourceClient;
let connection: Connection;
let kinds = 0;

beforeAll(async () => {
  server = await openServer();
  connection = connect(server.url);
  client = createResourceClient(server.url);
});
afterAll(async () => {
  client.close();
  connection.close();
  await server.close();
});

describe("a control loop", () => {
  it("reconciles what is created, changed and deleted, and holds the finalizer until it has cleaned up", async () => {
    const world = new Map<string, number>();
    const { key } = run({
      finalizer: "test/world",
      reconcile({ key, spec, ...rest }, { isDeleting, setCondition }) {
        if (isDeleting) {
          world.delete(key.name);
          return done();
        }
        expect(rest.finalizers).toEqual(["test/world"]);
        world.set(key.name, spec.size);
        setCondition("Ready", "True", "Made", "it is there");
        return done({ size: spec.size });
      },
    });
    await client.create({ key, spec: { size: 1 } });
    const ready = await until(async () => {
      const resource = await client.get<Spec, Status>(key);
      return resource !== undefined && isReady(resource) ? resource : undefined;
    });
    expect(ready.status).toMatchObject({ size: 1, conditions: [{ type: "Ready", status: "True" }] });
    await client.apply({ key, spec: { size: 2 } });
    await until(() => world.get(key.name) === 2);
    expect(await client.delete(key)).toMatchObject({ removed: false });
    await until(async () => (await client.get(key)) === undefined);
    expect(world.size).toBe(0);
  });

  it("cleans up also when the deletion was requested during a pass that then succeeded", async () => {
    const passes: string[] = [];
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { key } = run({
      finalizer: "test/world",
      async reconcile(_, { isDeleting }) {
        passes.push(isDeleting ? "clean up" : "make");
        if (!isDeleting) await gate;
        return done();
      },
    });
    await client.create({ key, spec: { size: 1 } });
    await until(() => passes.length === 1);
    await client.delete(key);
    open();
    await until(async () => (await client.get(key)) === undefined);
    expect(passes).toEqual(["make", "clean up"]);
  });

  it("retries after errors with the count of attempts, and comes back when asked to", async () => {
    const attempts: number[] = [];
    const { key } = run({
      backoffBaseMs: 5,
      reconcile(_, { attempt }) {
        attempts.push(attempt);
        if (attempts.length < 3) throw new Error("not yet");
        return attempts.length < 5 ? requeueAfter(20) : done();
      },
    });
    await client.create({ key, spec: { size: 1 } });
    await until(async () => (await client.get(key))?.observedGeneration === 1n);
    expect(attempts).toEqual([1, 2, 3, 1, 1]);
  });

  it("never runs more passes at once than its concurrency, nor two over one resource (I7)", async () => {
    let active = 0;
    let most = 0;
    const inside = new Set<string>();
    const { key, kind } = run({
      concurrency: 3,
      async reconcile({ key }) {
        expect(inside.has(key.name)).toBe(false);
        inside.add(key.name);
        most = Math.max(most, ++active);
        await new Promise((resolve) => setTimeout(resolve, 20));
        active--;
        inside.delete(key.name);
        return done();
      },
    });
    const keys = Array.from({ length: 30 }, (_, i) => ({ ...key, name: `n${i}` }));
    await Promise.all(keys.map((key) => client.create({ key, spec: { size: 1 } })));
    await Promise.all(keys.map((key) => client.enqueue(key, "again")));
    await until(async () => (await pending(kind)) === 0);
    expect(most).toBe(3);
  });

  it("frees the slot of a pass that never settles at its deadline, and others go on meanwhile (I11)", async () => {
    const finished: string[] = [];
    const { key } = run({
      concurrency: 1,
      passDeadlineMs: 300,
      backoffBaseMs: 60_000,
      reconcile({ key }) {
        if (key.name === "stuck") return new Promise(() => {});
        finished.push(key.name);
        return done();
      },
    });
    await client.create({ key: { ...key, name: "stuck" }, spec: { size: 1 } });
    await client.create({ key: { ...key, name: "fine" }, spec: { size: 1 } });
    await until(() => finished.includes("fine"));
    const work = await until(async () => (await workOf(key.kind)).find(({ failures }) => failures > 0));
    expect(work).toMatchObject({ failures: 1, lastError: expect.stringContaining("deadline of 300 ms") });
  });

  it("goes on after the server was away: registers again and finishes what it held", async () => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    let passes = 0;
    const { key } = run({
      leaseDurationMs: 1_500,
      async reconcile({ spec }, { signal }) {
        passes++;
        if (passes === 1)
          await Promise.race([gate, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
        return done({ size: spec.size });
      },
    });
    await client.create({ key, spec: { size: 1 } });
    await until(() => passes === 1);
    await server.stop();
    await new Promise((resolve) => setTimeout(resolve, 2_500)); // longer than the lease: it must not be trusted any more
    await server.start();
    open();
    await until(async () => (await client.get(key))?.observedGeneration === 1n, { timeoutMs: 20_000 });
    expect(passes).toBe(2);
  });

  it("stops a pass whose session ended, forgets its result, and does it again in a new session (I8)", async () => {
    const ends: string[] = [];
    const { key, kind } = run({
      async reconcile({ spec }, { signal }) {
        if (ends.length > 0) return done({ size: spec.size });
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        ends.push(signal.reason.name);
        return done({ size: -1 });
      },
    });
    await client.create({ key, spec: { size: 1 } });
    const held = await until(async () => (await workOf(kind)).find(({ holderSessionId }) => holderSessionId !== ""));
    await connection.reconcilers.deregister({ sessionId: held.holderSessionId });
    await until(async () => (await client.get(key))?.observedGeneration === 1n);
    expect(ends).toEqual(["LeaseLostError"]);
    expect((await client.get(key))?.status).toMatchObject({ size: 1 });
  });

  it("keeps a pass alive across a short restart of the server", async () => {
    let passes = 0;
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { key } = run({
      async reconcile({ spec }) {
        passes++;
        await gate;
        return done({ size: spec.size });
      },
    });
    await client.create({ key, spec: { size: 1 } });
    await until(() => passes === 1);
    await server.stop();
    open();
    await server.start();
    await until(async () => (await client.get(key))?.observedGeneration === 1n);
    expect(passes).toBe(1);
  });

  it("drains: finishes what is quick, releases what is not, and leaves nothing leased", async () => {
    const started: string[] = [];
    const { key, stop } = run({
      async reconcile({ key }, { signal }) {
        started.push(key.name);
        if (key.name === "slow") await new Promise((resolve) => signal.addEventListener("abort", resolve));
        else await new Promise((resolve) => setTimeout(resolve, 100));
        return done();
      },
    });
    await client.create({ key: { ...key, name: "slow" }, spec: { size: 1 } });
    await client.create({ key: { ...key, name: "quick" }, spec: { size: 1 } });
    await until(() => started.length === 2);
    const before = performance.now();
    await stop();
    await stop();
    expect(performance.now() - before).toBeLessThan(3_000);
    expect((await client.get({ ...key, name: "quick" }))?.observedGeneration).toBe(1n);
    const work = await workOf(key.kind);
    expect(work.map(({ key, failures, holderSessionId }) => [key?.name, failures, holderSessionId])).toEqual([
      ["slow", 0, ""],
    ]);
    const { sessions } = await connection.reconcilers.listReconcilers({});
    expect(sessions.filter(({ kinds }) => kinds.some(({ kind }) => kind === key.kind))).toEqual([]);
  });

  it("reports a status that the server refuses as an error instead of keeping silent", async () => {
    const { key } = run({
      backoffBaseMs: 60_000,
      reconcile: () => done({ size: "x".repeat(1_100_000) as unknown as number }),
    });
    await client.create({ key, spec: { size: 1 } });
    const work = await until(async () => (await workOf(key.kind)).find(({ failures }) => failures > 0));
    expect(work).toMatchObject({ lastError: expect.stringContaining("report refused: ") });
  });

  it("goes on at once with what a killed run of its instance had leased, not after that session's 15 s", async () => {
    const kind = `thing${++kinds}`;
    const key = { resourceGroup: "test", kind, namespace: "default", name: "a" };
    const instanceId = "one-host";
    const { reconcilers } = connection;
    await client.create({ key, spec: { size: 1 } });
    // A killed run, to the server: it leased, and nothing more is heard from it.
    const { sessionId } = await reconcilers.register({
      name: `${kind}-reconciler`,
      instanceId,
      kinds: [{ resourceGroup: "test", kind }],
      concurrency: 1,
    });
    await until(async () => (await reconcilers.lease({ sessionId, maxItems: 1 })).items.length === 1);

    run({ reconcile: () => done() }, { kind, instanceId });
    await until(async () => (await client.get(key))?.observedGeneration === 1n, { timeoutMs: 5_000 });
  });

  it("refuses one instance id for two reconcilers of one name: they would fence each other", () => {
    const reconciler = defineReconciler({ name: "same", resourceGroup: "test", kind: "x", reconcile: () => done() });
    const options = { serverUrl: server.url, reconcilers: [reconciler, { ...reconciler, kind: "y" }] };
    expect(() => runControlLoop({ ...options, instanceId: "one-host" })).toThrow("different names, not same, same");
  });

  it.each([
    ["a status larger than a request may be", () => done({ size: "x".repeat(6_000_000) as unknown as number })],
    ["a status many times larger", () => done({ size: "x".repeat(60_000_000) as unknown as number })],
    [
      "an error of megabytes",
      () => {
        throw new Error("x".repeat(6_000_000));
      },
    ],
    [
      "a thrown value without text",
      () => {
        throw Object.create(null);
      },
    ],
    [
      "annotations larger than a request may be",
      (setAnnotation: ReconcileContext["setAnnotation"]) => {
        for (let i = 0; i < 6; i++) setAnnotation(`a${i}`, "x".repeat(1_000_000));
        return done();
      },
    ],
  ] satisfies [string, (setAnnotation: ReconcileContext["setAnnotation"]) => PassOutcome<Status>][])(
    "%s is an error of that resource, and holds up no other (I11)",
    async (_, reconcile) => {
      const { key } = run({
        backoffBaseMs: 60_000,
        reconcile: ({ key }, { setAnnotation }) => (key.name === "bad" ? reconcile(setAnnotation) : done()),
      });
      for (const name of ["bad", "good"]) await client.create({ key: { ...key, name }, spec: { size: 1 } });
      await until(async () => (await client.get({ ...key, name: "good" }))?.observedGeneration === 1n);
      const work = await until(async () => (await workOf(key.kind)).find(({ failures }) => failures > 0));
      expect(work).toMatchObject({ key: { name: "bad" }, failures: 1, lastError: expect.stringMatching(/./) });
    },
  );

  it("ends when the server refuses its registration", async () => {
    const loop = runControlLoop({
      serverUrl: server.url,
      reconcilers: [defineReconciler({ name: "", resourceGroup: "test", kind: "x", reconcile: () => done() })],
      logger: pino({ level: "silent" }),
    });
    await expect(loop.finished).rejects.toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_FIELD" });
    await loop.stop();
  });
});

/** Runs a reconciler until the test ends, for a kind of its own unless the test has one. */
function run(
  definition: Omit<ReconcilerDefinition<Spec, Status>, "name" | "resourceGroup" | "kind">,
  { kind = `thing${++kinds}`, ...options }: { readonly kind?: string; readonly instanceId?: string } = {},
) {
  const loop = runControlLoop({
    serverUrl: server.url,
    reconcilers: [
      defineReconciler<Spec, Status>({ name: `${kind}-reconciler`, resourceGroup: "test", kind, ...definition }),
    ],
    logger: pino({ level: process.env.TEST_LOG ?? "silent" }),
    graceMs: 1_000,
    ...options,
  });
  onTestFinished(() => loop.stop());
  return { kind, key: { resourceGroup: "test", kind, namespace: "default", name: "a" }, stop: () => loop.stop() };
}

async function pending(kind: string): Promise<number> {
  let count = 0;
  for await (const _ of client.list({ resourceGroup: "test", kind }, { pending: true })) count++;
  return count;
}

async function workOf(kind: string) {
  return (await connection.reconcilers.listWork({ resourceGroup: "test", kind })).items;
}
