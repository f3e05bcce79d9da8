import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type ClientWatchEvent,
  createResourceClient,
  isAlreadyExists,
  isConflict,
  isNotFound,
  isTokenRefused,
  isUnavailable,
  type ResourceClient,
  type ResourceKey,
} from "../../src/client/index.js";
import { openServer, type RestartableServer } from "../controlloop/open-server.js";
import { startServer } from "../support/server.js";
import { startTcpProxy } from "../support/tcp-proxy.js";
import { until } from "../support/until.js";

let server: RestartableServer;
let client: ResourceClient;
let kinds = 0;

beforeAll(async () => {
  server = await openServer();
  client = createResourceClient(server.url);
});
afterAll(async () => {
  client.close();
  await server.close();
});

describe("resource client", () => {
  it("writes and reads, JSON text exact", async () => {
    const key = newKey();
    const specJson = '{"big": 12345678901234567890, "b":1, "a":2}';
    const created = await client.create<{ a: number }, unknown>({
      key,
      specJson,
      labels: new Map([["__proto__", "x"]]),
      annotations: new Map([["note", "y"]]),
    });
    expect(created).toMatchObject({ key, shardId: "default", generation: 1n, observedGeneration: 0n, status: null });
    expect(created.specJson).toBe(specJson);
    expect(created.spec.a).toBe(2);
    expect([...created.labels, ...created.annotations]).toEqual([
      ["__proto__", "x"],
      ["note", "y"],
    ]);
    expect(created.deletionRequestedAt).toBeUndefined();

    const updated = await client.update({ key, spec: { a: 3 } }, { revision: created.revision, uid: created.uid });
    expect(updated).toMatchObject({ generation: 2n, spec: { a: 3 } });
    const reported = await client.updateStatus(
      key,
      { ok: true },
      { observedGeneration: 2n, guard: { generation: 2n } },
    );
    expect(reported).toMatchObject({ status: { ok: true }, observedGeneration: 2n });
    expect((await client.apply({ key, spec: { a: 3 } })).isChanged).toBe(false);
    expect((await client.apply({ key, spec: { a: 4 } })).isChanged).toBe(true);
    expect(await client.delete(key)).toMatchObject({ removed: true });
    expect(await client.get(key)).toBeUndefined();
  });

  it("fails in words to decide by", async () => {
    const key = newKey();
    await client.create({ key, spec: 1 });
    await expect(client.create({ key })).rejects.toSatisfy(isAlreadyExists);
    await expect(client.update({ key }, { generation: 9n })).rejects.toSatisfy(isConflict);
    await expect(client.update({ key }, { generation: 9n })).rejects.toMatchObject({
      code: "ABORTED",
      reason: "GENERATION_CONFLICT",
    });
    await expect(client.delete(newKey())).rejects.toSatisfy(isNotFound);
    await expect(client.enqueue(newKey(), "x")).rejects.toSatisfy(isNotFound);
    await expect(client.create({ key: { ...key, name: "" } })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "INVALID_FIELD",
      field: "name",
    });
  });

  it("lists across pages", async () => {
    const key = newKey();
    for (let i = 0; i < 5; i++) await client.create({ key: { ...key, name: `n${i}` } });
    const names = [];
    for await (const { key: found } of client.list({ kind: key.kind }, { pageSize: 2 })) names.push(found.name);
    expect(names).toEqual(["n0", "n1", "n2", "n3", "n4"]);
  });

  it("tries calls again that may be repeated, and others not", async () => {
    const impatient = createResourceClient("http://127.0.0.1:1", { timeoutMs: 300 });
    const startedAt = performance.now();
    await expect(impatient.create({ key: newKey() })).rejects.toSatisfy(isUnavailable);
    expect(performance.now() - startedAt).toBeLessThan(150);
    await expect(impatient.get(newKey())).rejects.toSatisfy(isUnavailable);
    expect(performance.now() - startedAt).toBeGreaterThan(100);

    const key = newKey();
    await server.stop();
    const waiting = client.apply({ key, spec: 1 });
    await server.start();
    expect((await waiting).resource.generation).toBe(1n);
    impatient.close();
  });
});

describe("watch", () => {
  it("shows what exists, SYNCED, then changes", async () => {
    const key = newKey();
    await client.create({ key, spec: 1 });
    const { seen, stop } = watch({ kind: key.kind }, { sendInitialState: true });
    await until(() => seen.includes("SYNCED"));
    await client.apply({ key, spec: 2 });
    await client.delete(key);
    await until(() => seen.includes("DELETED 2"));
    expect(seen).toEqual(["ADDED 1", "SYNCED", "MODIFIED 2", "DELETED 2"]);
    await stop();
  });

  it("misses and repeats nothing across broken connections and restarts of the server (I2, I3)", async () => {
    const key = newKey();
    const proxy = await startTcpProxy({ host: "127.0.0.1", port: Number(new URL(server.url).port) });
    const viaProxy = createResourceClient(`http://127.0.0.1:${proxy.port}`);
    await client.create({ key, spec: 0 });
    const { seen, stop } = watch({ kind: key.kind }, { sendInitialState: true }, viaProxy);
    await until(() => seen.includes("SYNCED"));
    for (let i = 1; i <= 60; i++) {
      if (i % 10 === 0) proxy.cutReplyTo(key.kind);
      await viaProxy.apply({ key, spec: i });
      if (i === 35) {
        await server.stop();
        await server.start();
      }
    }
    await until(() => seen.includes("MODIFIED 60"));
    expect(seen).toEqual(["ADDED 0", "SYNCED", ...Array.from({ length: 60 }, (_, i) => `MODIFIED ${i + 1}`)]);
    await stop();
    viaProxy.close();
    await proxy.close();
  });

  it("sends RESYNC and the state again when the store behind the address is another one (I4)", async () => {
    const key = newKey();
    const replaced = await openServer();
    const by = createResourceClient(replaced.url);
    await by.create({ key, spec: 1 });
    const { seen, stop } = watch({ kind: key.kind }, { sendInitialState: true }, by);
    await until(() => seen.includes("SYNCED"));
    await replaced.close();
    const config = { serverPort: Number(new URL(replaced.url).port) };
    const successor = await startServer({ config });
    // Over a connection of its own: on the watch's an attempt to connect may be under way that began before the successor.
    const writer = createResourceClient(successor.url);
    await writer.create({ key, spec: 2 });
    writer.close();
    await until(
      () => seen.includes("RESYNC") && seen.at(-1) !== "RESYNC" && seen.some((event) => event.endsWith(" 2")),
    );
    expect(seen.slice(0, 3)).toEqual(["ADDED 1", "SYNCED", "RESYNC"]);
    await stop();
    by.close();
    await successor.stop();
  });

  it("refuses a consumer's foreign token: it must list again (I4)", async () => {
    const other = await openServer();
    const stranger = createResourceClient(other.url);
    const token = await firstToken(stranger);
    await expect(firstToken(client, token)).rejects.toSatisfy(isTokenRefused);
    stranger.close();
    await other.close();
  });
});

function newKey(): ResourceKey {
  return { resourceGroup: "test", kind: `thing${++kinds}`, namespace: "default", name: "a" };
}

function watch(selection: { kind: string }, options: { sendInitialState?: boolean }, by = client) {
  const seen: string[] = [];
  const controller = new AbortController();
  const describeEvent = (event: ClientWatchEvent) =>
    "resource" in event ? `${event.type} ${event.resource.specJson}` : event.type;
  const ended = (async () => {
    for await (const { events } of by.watch(selection, { ...options, signal: controller.signal }))
      seen.push(...events.map(describeEvent));
  })();
  return {
    seen,
    stop: () => {
      controller.abort();
      return ended;
    },
  };
}

async function firstToken(by: ResourceClient, resumeToken?: string): Promise<string> {
  const controller = new AbortController();
  const batches = by.watch({}, { ...(resumeToken !== undefined && { resumeToken }), signal: controller.signal });
  for await (const batch of batches) {
    controller.abort();
    return batch.resumeToken;
  }
  throw new Error("the watch ended without a batch");
}
