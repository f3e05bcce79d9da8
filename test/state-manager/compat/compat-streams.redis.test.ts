import type { Redis } from "ioredis";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Change } from "../../../src/resource/change.js";
import type { ResourceKey } from "../../../src/resource/key.js";
import { CompatStreams, type CompatStreamsOptions } from "../../../src/state-manager/compat/compat-streams.js";
import { redeliver } from "../../../src/state-manager/compat/redelivery.js";
import { StreamKeys } from "../../../src/state-manager/log/stream-keys.js";
import { createMetrics } from "../../../src/state-manager/observability/metrics.js";
import { RedisConnections } from "../../../src/state-manager/redis-connection.js";
import type { UnsettledResource } from "../../../src/state-manager/store/read-unsettled.js";
import { type ChangeFields, makeResource, TestHistory } from "../../support/changes.js";
import { Operator } from "../../support/operator.js";
import { hasRedis, type RedisServer, startRedis } from "../../support/redis.js";
import { TestLog } from "../../support/test-log.js";
import { until } from "../../support/until.js";

const keys = new StreamKeys("0190c6f0-1111-7222-8333-444455556666");
const logger = pino({ level: "silent" });

describe.skipIf(!hasRedis)("CompatStreams", () => {
  let server: RedisServer;
  let redis: Redis;
  let history: TestHistory;
  let durable: TestLog;
  let setting: boolean;
  let unsettled: UnsettledResource[];
  let closers: (() => Promise<void> | void)[];

  beforeAll(async () => {
    server = await startRedis();
    redis = server.client();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    await redis.flushall();
    history = new TestHistory();
    durable = new TestLog(history);
    setting = true;
    unsettled = [];
    closers = [];
  });
  afterEach(async () => {
    for (const close of closers.reverse()) await close();
  });

  /** A replica; resolves when it has taken the streams up. */
  async function open(options: Partial<CompatStreamsOptions> = {}): Promise<CompatStreams> {
    const streams = await start(options);
    if (setting) await until(async () => (await position()) !== undefined);
    return streams;
  }

  async function start(options: Partial<CompatStreamsOptions>): Promise<CompatStreams> {
    const connections = new RedisConnections(server.url, logger);
    closers.push(() => connections.close());
    await until(() => connections.commands.status === "ready");
    const streams = new CompatStreams({
      redis: connections.commands,
      keys,
      logCount: 1,
      durable,
      readUnsettled: async ({ shardId, afterId }) => {
        const index = Number(afterId);
        const page = unsettled.slice(index, index + 2);
        const resources = page.filter((resource) => shardId === undefined || resource.shardId === shardId);
        return { resources, lastId: page.length === 0 ? undefined : BigInt(index + page.length) };
      },
      reader: { get: async () => undefined },
      readSetting: async () => setting,
      heads: () => [durable.history.head],
      metrics: createMetrics(),
      logger,
      checkMs: 50,
      settingMs: 50,
      ...options,
    });
    closers.push(() => streams.stop());
    await streams.start();
    return streams;
  }

  /** The revision up to which every change is announced. */
  async function position(): Promise<number | undefined> {
    const [type, revision] = (await redis.hget(keys.compatStates(0), "main"))?.split(" ") ?? [];
    return type === "at" ? Number(revision) : undefined;
  }

  const write = (name: string, fields: ChangeFields = {}) =>
    history.append({ type: "ADDED", ...fields, resource: { key: keyOf(name), ...fields.resource } });

  const writeMany = (prefix: string, count: number): Change[] =>
    Array.from({ length: count }, (_, index) => write(`${prefix}${index}`));

  const names = (changes: readonly Change[]) => changes.map(({ resource }) => resource.key.name);

  async function entries(shard = "s0"): Promise<string[]> {
    const raw = await redis.xrange(`${shard}_stream`, "-", "+");
    return raw.map(([, fields]) => (fields[9] === "update" ? fields[7] : `-${fields[7]}`) ?? "");
  }

  it("writes an entry for what an operator acts on, and none for a write of status or labels", async () => {
    const streams = await open();
    const created = write("a");
    const updated = write("a", { type: "MODIFIED", previousGeneration: 1n, resource: { generation: 2n } });
    const status = write("a", { type: "MODIFIED", previousGeneration: 2n, resource: { generation: 2n } });
    const moved = { type: "DELETED", previousGeneration: 3n, movedTo: "s1", resource: { generation: 3n } } as const;
    const left = write("a", moved);
    const arrived = write("a", { resource: { shardId: "s1", generation: 4n } });
    await streams.offer([created, updated, status, left, arrived]);
    const entry = (type: string) => `resource_group apps kind Widget namespace default name a type ${type}`;
    const fields = (await redis.xrange("s0_stream", "-", "+")).map(([, values]) => values.join(" "));
    expect(fields).toEqual(["update", "update", "delete"].map(entry));
    expect(await entries("s1")).toEqual(["a"]);
  });

  it("has written when a write is answered, in order, whichever of two replicas commits", async () => {
    const [one, two] = [await open(), await open()];
    const changes: Change[] = [];
    for (let i = 0; i < 20; i++) {
      const change = write(`n${i}`);
      changes.push(change);
      await (i % 3 === 0 ? two : one).offer([change]);
      expect(await entries()).toHaveLength(changes.length);
    }
    const more = writeMany("m", 200);
    await Promise.all(more.map((change, index) => (index % 2 === 0 ? one : two).offer([change])));
    await until(async () => (await position()) === history.changes.length);
    expect(await entries()).toEqual(names([...changes, ...more]));
  });

  it("reads nothing from PostgreSQL while one replica writes", async () => {
    const streams = await open({ checkMs: 60_000 });
    await streams.offer([write("a")]);
    const { reads } = durable;
    for (let i = 0; i < 20; i++)
      await Promise.all([streams.offer(writeMany(`b${i}-`, 3)), streams.offer([write(`c${i}`)])]);
    expect(await entries()).toEqual(names(history.changes));
    expect(durable.reads).toBe(reads);
  });

  it("announces what a replica committed and did not announce: it was killed, or does without the setting", async () => {
    await open();
    const changes = writeMany("n", 700);
    await until(async () => (await entries()).length === changes.length);
    expect(await entries()).toEqual(names(changes));
  });

  it("takes up at its start what was committed while no replica ran", async () => {
    const streams = await open();
    await streams.offer(writeMany("a", 3));
    await streams.stop();
    const missed = writeMany("b", 5);
    await open();
    await until(async () => (await position()) === history.changes.length);
    expect((await entries()).slice(3)).toEqual(names(missed));
  });

  it("announces every write made while Redis was away, also those of a replica that ended meanwhile", async () => {
    const streams = await open();
    await streams.offer(writeMany("a", 2));
    await redis.save();
    await server.kill();
    for (let i = 0; i < 100; i++) await streams.offer(writeMany(`b${i}-`, 60));
    expect((await streams.health()).problem).toMatch(/entries wait in the change log/);
    await streams.stop();
    await server.start();
    redis = server.client();
    await open();
    await until(async () => (await position()) === history.changes.length);
    expect(await entries()).toEqual(names(history.changes));
  });

  it("announces every unsettled resource once when Redis has lost its data, and then what follows", async () => {
    const [one, two] = [await open(), await open()];
    await one.offer(writeMany("a", 10));
    unsettled = Array.from({ length: 9 }, (_, index) => ({ key: keyOf(`u${index}`), shardId: "s0" }));
    await redis.flushall();
    await until(async () => (await position()) === 10);
    expect(await entries()).toEqual(unsettled.map(({ key }) => key.name));
    await Promise.all([one.offer([write("b")]), two.offer([])]);
    expect((await entries()).at(-1)).toBe("b");
    expect(await entries()).toHaveLength(10);
  });

  it("makes the group of a running operator anew when Redis has lost it", async () => {
    const streams = await open();
    const operator = new Operator({ redisUrl: server.url, shard: "s0" });
    closers.push(() => operator.stop());
    await streams.offer([write("a")]);
    await until(() => operator.seen.length === 1);
    await redis.flushall();
    await until(async () => (await position()) !== undefined);
    await streams.offer([write("b")]);
    await until(() => operator.seen.at(-1)?.name === "b");
  });

  it.each([
    ["of another lineage", () => (durable.history = history.forkAt(3))],
    ["that retention dropped", () => (durable.floor = 8)],
  ])("announces every unsettled resource when the position is one %s", async (_, lose) => {
    const streams = await open();
    await streams.offer(writeMany("a", 5));
    await streams.stop();
    writeMany("b", 5);
    lose();
    const last = durable.history.append({ type: "ADDED" });
    unsettled = [{ key: keyOf("u"), shardId: "s0" }];
    await open();
    await until(async () => (await position()) === Number(last.revision));
    expect((await entries()).slice(5)).toEqual(["u"]);
  });

  it("goes on with a listing that another replica left", async () => {
    unsettled = Array.from({ length: 9 }, (_, index) => ({ key: keyOf(`u${index}`), shardId: "s0" }));
    writeMany("a", 2);
    const { revision, fingerprint } = history.head;
    await redis.hset(keys.compatStates(0), "main", `listing ${revision} ${fingerprint} 4`);
    const after = writeMany("b", 2);
    await open();
    await until(async () => (await position()) === 4);
    expect(await entries()).toEqual(["u4", "u5", "u6", "u7", "u8", ...names(after)]);
  });

  it("says which key is no stream, keeps other shards going, and writes what waited when it is gone", async () => {
    await redis.set("s0_stream", "x");
    const streams = await open();
    const first = write("a");
    await streams.offer([first, write("b", { resource: { shardId: "s1" } })]);
    expect(await entries("s1")).toEqual(["b"]);
    const { problem } = await streams.health();
    expect(problem).toContain('the Redis key "s0_stream" is no stream (WRONGTYPE)');
    await streams.offer([write("c"), write("d", { resource: { shardId: "s1" } })]);
    expect(await entries("s1")).toEqual(["b", "d"]);
    await redis.del("s0_stream");
    await until(async () => (await entries()).length === 2);
    await until(async () => (await streams.health()).problem === "");
    await streams.offer([write("e")]);
    expect(await entries()).toEqual(["a", "c", "e"]);
    expect(await redis.hkeys(keys.compatStates(0))).toEqual(["main"]);
  });

  it.each([
    ["READONLY", ["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]],
    ["OOM", ["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]],
  ])(
    "says that Redis refuses writes (%s), does not make them wait, and writes what waited",
    async (code, [...refuse], [...take]) => {
      const streams = await open();
      await streams.offer([write("a")]);
      await redis.call(refuse[0] ?? "", ...refuse.slice(1));
      try {
        const startedAt = performance.now();
        for (let i = 0; i < 20; i++) await streams.offer([write(`b${i}`)]);
        expect(performance.now() - startedAt).toBeLessThan(1_000);
        expect((await streams.health()).problem).toContain(code);
      } finally {
        await redis.call(take[0] ?? "", ...take.slice(1));
      }
      await until(async () => (await entries()).length === 21);
      expect(await entries()).toEqual(names(history.changes));
      await until(async () => (await streams.health()).problem === "");
    },
  );

  it("makes one write wait for a silent Redis, and none after it", async () => {
    const streams = await open({ maxWaitMs: 100 });
    await streams.offer([write("a")]);
    await redis.call("CLIENT", "PAUSE", "700", "ALL");
    const startedAt = performance.now();
    for (let i = 0; i < 20; i++) await streams.offer([write(`b${i}`)]);
    const tookMs = performance.now() - startedAt;
    expect(tookMs).toBeGreaterThan(90);
    expect(tookMs).toBeLessThan(600);
    await until(async () => (await entries()).length === 21);
  });

  it("is the store's setting: a running replica begins when another one has, and ends", async () => {
    setting = false;
    const streams = await open();
    await streams.offer([write("a")]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await streams.health()).toEqual({ isOn: false, problem: "" });
    expect(await position()).toBeUndefined();

    setting = true;
    const another = await open();
    await until(async () => (await streams.health()).isOn);
    await another.stop();
    await streams.offer([write("b")]);
    expect(await entries()).toEqual(["b"]);

    setting = false;
    await until(async () => !(await streams.health()).isOn);
    await streams.offer([write("c")]);
    expect(await entries()).toEqual(["b"]);
    setting = true;
    await open();
    await until(async () => (await entries()).length === 2);
    expect(await entries()).toEqual(["b", "c"]);
  });

  it("refuses a Redis Cluster", async () => {
    const cluster = await startRedis("--cluster-enabled", "yes");
    closers.push(() => cluster.stop());
    const connections = new RedisConnections(cluster.url, logger);
    closers.push(() => connections.close());
    await until(() => connections.commands.status === "ready");
    const streams = await start({ redis: connections.commands });
    expect((await streams.health()).problem).toContain("REDIS_URL names a Redis Cluster");
  });

  describe("with an operator that does not acknowledge", () => {
    const redelivery = { afterMs: 200, maxDoublings: 2, lookEveryMs: 40 };
    const current = new Map<string, string>();
    const reader = {
      get: async (key: ResourceKey) => {
        const shardId = current.get(key.name);
        return shardId === undefined ? undefined : makeResource({ key, shardId });
      },
    };
    beforeEach(() => current.clear());

    it("adds entries again, once each, by any replica, and not those it acknowledges", async () => {
      const patient = { redelivery: { ...redelivery, afterMs: 500 }, reader };
      const [streams] = await Promise.all([open(patient), open(patient)]);
      let isAway = true;
      const operator = new Operator({
        redisUrl: server.url,
        shard: "s0",
        handle: async ({ name }) => {
          if (isAway && name !== "a0") throw new Error("the server is away");
        },
      });
      closers.push(() => operator.stop());
      const changes = writeMany("a", 6);
      for (const name of names(changes)) current.set(name, "s0");
      await streams.offer(changes);
      await until(() => operator.seen.length === 6);
      isAway = false;
      await until(() => operator.seen.length === 11);
      expect(operator.seen.slice(6).map(({ name }) => name)).toEqual(names(changes.slice(1)));
      await until(async () => (await redis.xlen("s0_stream")) === 0);
      const [pending] = (await redis.xpending("s0_stream", "s0_group")) as [number];
      expect(pending).toBe(0);
      await until(async () => (await redis.zcard(keys.compatDue())) === 0);
      expect(operator.seen).toHaveLength(11);
    });

    it("doubles the pause of one that is never acknowledged", async () => {
      const streams = await open({ redelivery, reader });
      const seenAt: number[] = [];
      const operator = new Operator({
        redisUrl: server.url,
        shard: "s0",
        handle: async () => {
          seenAt.push(performance.now());
          throw new Error("never");
        },
      });
      closers.push(() => operator.stop());
      current.set("a", "s0");
      await streams.offer([write("a")]);
      await until(() => seenAt.length === 3);
      const [first = 0, second = 0, third = 0] = seenAt;
      expect(second - first).toBeGreaterThanOrEqual(195);
      expect(third - second).toBeGreaterThanOrEqual(395);
      expect(await redis.xlen("s0_stream")).toBe(1);
    });

    it("tells of the resource as it is now: gone, moved to another shard, or there", async () => {
      const streams = await open({ redelivery, reader });
      let isAway = true;
      const operator = new Operator({
        redisUrl: server.url,
        shard: "s0",
        handle: async () => {
          if (isAway) throw new Error("the server is away");
        },
      });
      closers.push(() => operator.stop());
      const deleted = { type: "DELETED" } as const;
      await streams.offer([write("gone"), write("moved"), write("recreated", deleted)]);
      current.set("moved", "s1").set("recreated", "s0");
      await until(() => operator.seen.length === 3);
      isAway = false;
      await until(() => operator.seen.length === 6);
      expect(operator.seen.slice(3).map(({ name, type }) => `${type} ${name}`)).toEqual([
        "delete gone",
        "delete moved",
        "update recreated",
      ]);
    });

    it("leaves entries alone that nobody has read, and those an operator acknowledged without deleting", async () => {
      const limits = { afterMs: 0, maxDoublings: 2, lookEveryMs: 60_000 };
      const streams = await open({ redelivery: limits, reader });
      await streams.offer(writeMany("a", 4));
      await redis.xreadgroup("GROUP", "s0_group", "old", "COUNT", 2, "STREAMS", "s0_stream", ">");
      const [first] = await redis.xrange("s0_stream", "-", "+");
      await redis.xack("s0_stream", "s0_group", first?.[0] ?? "");
      await redis.zadd(keys.compatDue(), 0, "s0_stream");
      expect(await redeliver({ redis, keys, reader, limits, maxLength: 100 })).toBe(1);
      expect(await entries()).toEqual(["a0", "a2", "a3", "-a1"]);
    });
  });
});

function keyOf(name: string): ResourceKey {
  return { resourceGroup: "apps", kind: "Widget", namespace: "default", name };
}
