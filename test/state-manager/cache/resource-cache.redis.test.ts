import type { Redis } from "ioredis";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Command } from "../../../src/resource/command.js";
import type { ResourceKey } from "../../../src/resource/key.js";
import type { ResourceCache } from "../../../src/state-manager/cache/resource-cache.js";
import { makeResource, TestHistory } from "../../support/changes.js";
import { createDatabase } from "../../support/postgres.js";
import { hasRedis, type RedisServer, startRedis } from "../../support/redis.js";
import { until } from "../../support/until.js";
import { Replica } from "../watch/replica.js";

const keyNamed = (name: string): ResourceKey => ({ resourceGroup: "apps", kind: "Widget", namespace: "default", name });

describe.skipIf(!hasRedis)("ResourceCache", () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let server: RedisServer;
  let control: Redis;
  let replica: Replica;
  let cache: ResourceCache;

  beforeEach(async () => {
    [database, server] = await Promise.all([createDatabase(), startRedis()]);
    control = server.client();
    replica = await Replica.start({ databaseUrl: database.url, redisUrl: server.url });
    if (replica.cache === undefined) throw new Error("no cache");
    cache = replica.cache;
    await until(async () => (await control.pubsub("CHANNELS")) && (await cache.get(keyNamed("none"))) === null);
  });

  afterEach(async () => {
    await replica.stop();
    await server.stop();
    await database.drop();
  });

  /** What a reader gets that must not ask PostgreSQL. */
  async function cachedOnly(name: string) {
    const [id, state] = await control.hmget(replica.keys.resource(keyNamed(name)), "id", "state");
    return id === null ? undefined : state;
  }
  const isCached = (name: string, state: string) => until(async () => (await cachedOnly(name)) === state);

  it("answers with exactly what PostgreSQL has", async () => {
    const spec = { text: 'ü "quoted"', list: [1, 2] };
    await replica.create("a:b {c}", { spec, labels: { tier: "web", ["__proto__"]: "x" } });
    await isCached("a:b {c}", "live");
    const strong = await replica.store.reader.get(keyNamed("a:b {c}"));
    expect(await cache.get(keyNamed("a:b {c}"))).toEqual(strong);
    await replica.create("empty", { spec: null });
    await isCached("empty", "live");
    expect(await cache.get(keyNamed("empty"))).toEqual(await replica.store.reader.get(keyNamed("empty")));
  });

  it("follows every write, to the tombstone of a removal and into the next life of the key", async () => {
    await replica.create("a");
    for (let n = 2; n <= 5; n++) {
      await replica.update("a", { spec: { n } });
      await until(async () => (await cache.get(keyNamed("a")))?.specJson === JSON.stringify({ n }));
    }
    await replica.delete("a");
    await isCached("a", "gone");
    expect(await cache.get(keyNamed("a"))).toBeNull();
    await replica.create("a", { spec: { life: 2 } });
    await isCached("a", "live");
    expect((await cache.get(keyNamed("a")))?.generation).toBe(1n);
  });

  it("keeps a resource that moves to another shard", async () => {
    await replica.create("a", { shardId: "s0" });
    await replica.update("a", { shardId: "s1" });
    await until(async () => (await cache.get(keyNamed("a")))?.shardId === "s1");
    expect(await cachedOnly("a")).toBe("live");
  });

  it("never replaces a newer state by an older one, in whatever order they come", async () => {
    const history = new TestHistory();
    const state = (id: bigint, writeCount: bigint) => ({
      resource: makeResource({ key: keyNamed("x"), id, writeCount }),
    });
    const changes = [
      history.append({ type: "ADDED", ...state(1n, 1n) }),
      history.append({ type: "MODIFIED", ...state(1n, 2n) }),
      history.append({ type: "MODIFIED", ...state(1n, 10n) }),
      history.append({ type: "DELETED", ...state(1n, 10n) }),
      history.append({ type: "ADDED", ...state(2n, 1n) }),
      history.append({ type: "DELETED", ...state(2n, 1n) }),
    ];
    for (let newest = 0; newest < changes.length; newest++) {
      await control.flushall();
      const known = changes.slice(0, newest + 1);
      for (const change of [...known.slice(-1), ...known, ...known.slice().reverse()]) cache.store([change]);
      const expected = changes[newest];
      const state = expected?.type === "DELETED" ? "gone" : "live";
      const wanted = [expected?.resource.id, expected?.resource.writeCount, state].map(String);
      const current = () => control.hmget(replica.keys.resource(keyNamed("x")), "id", "writes", "state");
      await until(async () => String(await current()) === String(wanted));
      // Read on the connection that writes: everything stored before has been carried out then.
      await cache.get(keyNamed("x"));
      expect(await current()).toEqual(wanted);
    }
  });

  it("reads PostgreSQL on a miss and remembers the answer", async () => {
    await replica.create("a");
    await isCached("a", "live");
    await control.flushall();
    expect((await cache.get(keyNamed("a")))?.key.name).toBe("a");
    await isCached("a", "live");
    expect(await cache.get(keyNamed("missing"))).toBeNull();
    expect(await cachedOnly("missing")).toBeUndefined();
  });

  it("leaves large resources to PostgreSQL, in order with their smaller states", async () => {
    await replica.create("a", { spec: "small" });
    await replica.update("a", { spec: "x".repeat(100_000) });
    await isCached("a", "large");
    expect((await cache.get(keyNamed("a")))?.specJson).toHaveLength(100_002);
    await replica.update("a", { spec: "small again" });
    await isCached("a", "live");
    expect((await cache.get(keyNamed("a")))?.specJson).toBe('"small again"');
  });

  it("leaves what one call wrote in bulk to PostgreSQL, until it is written again", async () => {
    await replica.create("bulk-0", { spec: "old" });
    await isCached("bulk-0", "live");
    const commands = Array.from({ length: 300 }, (_, n): Command => {
      const input = { key: keyNamed(`bulk-${n}`), shardId: "s0", labels: new Map(), annotations: new Map() };
      return { type: "apply", input: { ...input, finalizers: [], specJson: '"new"' } };
    });
    for await (const run of replica.store.sink.submitAll(commands)) expect(run).toHaveLength(300);
    await isCached("bulk-0", "large");
    await isCached("bulk-299", "large");
    expect((await cache.get(keyNamed("bulk-0")))?.specJson).toBe('"new"');
    await replica.update("bulk-0", { spec: "newer" });
    await isCached("bulk-0", "live");
  });

  it("expires its entries (I9)", async () => {
    await replica.create("a");
    await isCached("a", "live");
    const ttl = await control.pttl(replica.keys.resource(keyNamed("a")));
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(60_000);
  });

  it("is a strong read while Redis is away, and delays no write", async () => {
    await replica.create("a");
    await server.kill();
    await replica.update("a", { spec: { n: 2 } });
    expect((await cache.get(keyNamed("a")))?.specJson).toBe('{"n":2}');
    const startedAt = performance.now();
    for (let n = 0; n < 20; n++) await replica.update("a", { spec: { n } });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect((await cache.get(keyNamed("a")))?.specJson).toBe('{"n":19}');
  });

  it("treats what it did not write as a miss", async () => {
    await replica.create("a");
    await isCached("a", "live");
    const key = replica.keys.resource(keyNamed("a"));
    await control.hset(key, "meta", "{broken");
    expect((await cache.get(keyNamed("a")))?.key.name).toBe("a");
    await control.del(key);
    await control.set(key, "no hash");
    expect((await cache.get(keyNamed("a")))?.key.name).toBe("a");
  });

  it("is emptied when PostgreSQL was restored to an older state (I4)", async () => {
    await replica.create("a", { spec: { n: 1 } });
    for (let n = 2; n <= 4; n++) await replica.update("a", { spec: { n } });
    await isCached("a", "live");
    const admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    try {
      await admin.query("DELETE FROM events WHERE revision > 1");
      await admin.query(`UPDATE resources SET spec = '{"n":1}', revision = 1, write_count = 1, generation = 1`);
    } finally {
      await admin.end();
    }
    const watcher = await replica.open();
    await until(async () => (await cache.get(keyNamed("a")))?.specJson === '{"n":1}');
    watcher.close();
  });
});
