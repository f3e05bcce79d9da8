import type { Redis } from "ioredis";
import pg from "pg";
import pino from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ResourceKey } from "../../../src/resource/key.js";
import { ResourceCache } from "../../../src/state-manager/cache/resource-cache.js";
import { RedisHealth } from "../../../src/state-manager/redis-health.js";
import { makeResource, TestHistory } from "../../support/changes.js";
import { createDatabase } from "../../support/postgres.js";
import { hasRedis, type RedisServer, startRedis } from "../../support/redis.js";
import { until } from "../../support/until.js";
import { Replica } from "../watch/replica.js";

const keyNamed = (name: string): ResourceKey => ({ resourceGroup: "apps", kind: "Widget", namespace: "default", name });

const newHealth = () => new RedisHealth(pino({ level: "silent" }), () => {});

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
    await until(async () => (await cache.get(keyNamed("none"))) === undefined && (await inRedis("none")) === "place");
  });

  afterEach(async () => {
    await replica.stop();
    await server.stop();
    await database.drop();
  });

  /** What of a key is in Redis: a state to read, a place for one, or nothing. */
  async function inRedis(name: string) {
    const [id, meta] = await control.hmget(replica.keys.resource(keyNamed(name)), "id", "meta");
    if (id == null) return "nothing";
    return meta == null ? "place" : "state";
  }
  /** Reads, and waits until what was read is kept; what it answers with. */
  async function keep(name: string) {
    const resource = await cache.get(keyNamed(name));
    await until(async () => (await inRedis(name)) === "state");
    return resource;
  }

  it("answers with exactly what PostgreSQL has", async () => {
    const spec = { text: 'ü "quoted"', list: [1, 2] };
    await replica.create("a:b {c}", { spec, labels: { tier: "web", ["__proto__"]: "x" } });
    await replica.create("empty", { spec: null });
    for (const name of ["a:b {c}", "empty"]) {
      const strong = await replica.store.reader.get(keyNamed(name));
      expect(await keep(name)).toEqual(strong);
      expect(await cache.get(keyNamed(name))).toEqual(strong);
    }
  });

  it("keeps what is asked for, not what is written", async () => {
    await replica.create("a");
    await replica.update("a", { spec: { n: 2 } });
    expect(await inRedis("a")).toBe("nothing");
    await keep("a");
    expect(await cache.get(keyNamed("missing"))).toBeUndefined();
    expect(await inRedis("missing")).toBe("place");
  });

  it("serves a write to whoever has been told of it, to the removal and into the next life of the key", async () => {
    await replica.create("a");
    await keep("a");
    for (let n = 2; n <= 5; n++) {
      await replica.update("a", { spec: { n } });
      expect((await cache.get(keyNamed("a")))?.specJson).toBe(JSON.stringify({ n }));
      await keep("a");
    }
    await replica.delete("a");
    expect(await cache.get(keyNamed("a"))).toBeUndefined();
    await replica.create("a", { spec: { life: 2 } });
    expect(await keep("a")).toMatchObject({ generation: 1n, specJson: '{"life":2}' });
  });

  it("follows a resource that moves to another shard", async () => {
    await replica.create("a", { shardId: "s0" });
    await keep("a");
    await replica.update("a", { shardId: "s1" });
    expect((await keep("a"))?.shardId).toBe("s1");
  });

  it.each<[string, () => Promise<unknown>]>([
    ["changed", () => replica.update("a", { spec: { n: 2 } })],
    ["moved", () => replica.update("a", { shardId: "s1" })],
    ["removed", () => replica.delete("a")],
    ["created anew", () => replica.delete("a").then(() => replica.create("a", { spec: { life: 2 } }))],
  ])("a slow reader does not leave behind what was %s meanwhile", async (_, write) => {
    await replica.create("a", { shardId: "s0", spec: { n: 1 } });
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    let hasRead = false;
    const { reader } = replica.store;
    const get = async (key: ResourceKey) => {
      const resource = await reader.get(key);
      hasRead = true;
      await gate;
      return resource;
    };
    const logger = pino({ level: "silent" });
    const redis = server.client();
    await redis.ping();
    const slow = new ResourceCache({ redis, health: newHealth(), keys: replica.keys, reader: { get }, logger });
    const reading = slow.get(keyNamed("a"));
    await until(() => hasRead);
    await write();
    go();
    await reading;
    // Whatever the slow one leaves has been carried out when its connection answers again.
    await slow.get(keyNamed("other"));
    expect(await inRedis("a")).toBe("place");
    expect(await cache.get(keyNamed("a"))).toEqual(await reader.get(keyNamed("a")));
  });

  it("reads PostgreSQL only once its place is made, however slow Redis is", async () => {
    await replica.create("a");
    let hasRead = false;
    const { reader } = replica.store;
    const get = (key: ResourceKey) => {
      hasRead = true;
      return reader.get(key);
    };
    const redis = server.client();
    await redis.ping();
    const slow = new ResourceCache({
      redis,
      health: newHealth(),
      keys: replica.keys,
      reader: { get },
      logger: pino({ level: "silent" }),
    });
    await control.call("CLIENT", "PAUSE", "10000", "WRITE");
    const reading = slow.get(keyNamed("a"));
    await redis.ping(); // the read that misses is answered, the script waits
    for (let n = 0; n < 5; n++) await reader.get(keyNamed("a"));
    expect(hasRead).toBe(false);
    await control.call("CLIENT", "UNPAUSE");
    expect((await reading)?.key.name).toBe("a");
  });

  it("never replaces a newer state by an older one, in whatever order they come", async () => {
    await replica.create("a");
    await keep("a");
    const current = () => control.hmget(replica.keys.resource(keyNamed("a")), "id", "writes");
    const [id] = (await current()).map(Number);
    const history = new TestHistory();
    const state = (life: number, writeCount: bigint) => ({
      resource: makeResource({ key: keyNamed("a"), id: BigInt((id ?? 0) + life), writeCount }),
    });
    const changes = [
      history.append({ type: "MODIFIED", ...state(0, 2n) }),
      history.append({ type: "MODIFIED", ...state(0, 10n) }),
      history.append({ type: "DELETED", ...state(0, 10n) }),
      history.append({ type: "MODIFIED", ...state(1, 2n) }),
      history.append({ type: "DELETED", ...state(1, 2n) }),
    ];
    const orders = [2, 10, 11, 2, 3];
    for (const [newest, { resource }] of changes.entries()) {
      const known = changes.slice(0, newest + 1);
      for (const change of [...known.slice(-1), ...known, ...known.slice().reverse()]) cache.supersede([change]);
      await cache.get(keyNamed("other")); // behind them on the same connection
      expect(await current()).toEqual([resource.id, orders[newest]].map(String));
      expect(await inRedis("a")).toBe("place");
    }
  });

  it("a flush in between leaves nothing behind, and nothing in the way", async () => {
    await replica.create("a");
    await keep("a");
    await control.flushall();
    await replica.update("a", { spec: { n: 2 } });
    expect(await inRedis("a")).toBe("nothing");
    expect((await keep("a"))?.specJson).toBe('{"n":2}');
  });

  it("leaves large resources to PostgreSQL, in order with their smaller states", async () => {
    await replica.create("a", { spec: "small" });
    await keep("a");
    await replica.update("a", { spec: "x".repeat(100_000) });
    for (let n = 0; n < 2; n++) expect((await cache.get(keyNamed("a")))?.specJson).toHaveLength(100_002);
    expect(await inRedis("a")).toBe("place");
    await replica.update("a", { spec: "small again" });
    expect((await keep("a"))?.specJson).toBe('"small again"');
  });

  it("expires its entries and places (I9)", async () => {
    await replica.create("a");
    await keep("a");
    await cache.get(keyNamed("missing"));
    for (const name of ["a", "missing"]) {
      const ttl = await control.pttl(replica.keys.resource(keyNamed(name)));
      expect(ttl).toBeGreaterThan(0);
      expect(ttl).toBeLessThanOrEqual(60_000);
    }
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
    await keep("a");
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
    await keep("a");
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
