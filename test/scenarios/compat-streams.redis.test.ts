import { describe, expect, it, onTestFinished } from "vitest";
import { createResourceClient } from "../../src/client/index.js";
import type { Config } from "../../src/state-manager/config.js";
import { Operator } from "../support/operator.js";
import { createDatabase } from "../support/postgres.js";
import { startServerProcess } from "../support/processes.js";
import { hasRedis, type RedisServer, startRedis } from "../support/redis.js";
import { startServer, type TestServer } from "../support/server.js";
import { until } from "../support/until.js";

const PATIENT = { timeoutMs: 30_000 };
const RESOURCES = "/api/v1/groups/g/namespaces/n/kinds/k/resources";

describe.skipIf(!hasRedis)("operators of an existing installation", { timeout: 90_000 }, () => {
  it("hear of everything that was stored when the server was killed during creates and started again", async () => {
    const { redis, databaseUrl } = await openWorld();
    const env = { COMPAT_STREAMS: "true" };
    const server = await startServerProcess({ databaseUrl, redisUrl: redis.url, env });
    onTestFinished(() => server.program.kill());
    const created = new Set<string>();
    const writing = create(server.url, "a", 2_000, { created });
    await until(() => created.size > 150, PATIENT);
    server.program.signal("SIGKILL");
    await writing;
    await server.program.exited;
    await server.start();
    const stored = await storedNames(server.url);
    expect([...created].filter((name) => !stored.has(name))).toEqual([]);
    await until(async () => (await announced(redis)).size === stored.size, PATIENT);
    expect(await announced(redis)).toEqual(stored);
  });

  it("hear of what was written while Redis was away and the server started again, also when Redis lost its data", async () => {
    const { redis, start } = await openWorld();
    let server = await start(true);
    await create(server.url, "a", 20);
    await redis.client().save();
    for (const [prefix, total] of [
      ["b", 120],
      ["c", 220],
    ] as const) {
      await redis.kill();
      await create(server.url, prefix, 100);
      await server.stop();
      server = await start(undefined);
      await redis.start();
      if (prefix === "c") await redis.client().flushall();
      await until(async () => (await announced(redis)).size === total, PATIENT);
    }
    // Once each: the position was lost once, and nobody wrote again.
    expect(await redis.client().xlen("s0_stream")).toBe(220);
  });

  it("are told again of what they could not fetch because the server was stopped during 300 creates", async () => {
    const { redis, start } = await openWorld();
    let server = await start(true);
    const fetched = new Set<string>();
    const operator = new Operator({
      redisUrl: redis.url,
      shard: "s0",
      handle: async ({ name }) => {
        // As the original's: what cannot be fetched is not acknowledged.
        const { status } = await fetch(`${server.url}${RESOURCES}/${name}`, { signal: AbortSignal.timeout(2_000) });
        if (status !== 200) throw new Error(`answered ${status}`);
        fetched.add(name);
      },
    });
    onTestFinished(() => operator.stop());
    const writing = create(server.url, "a", 300);
    await until(() => fetched.size > 100, PATIENT);
    await server.stop();
    await writing;
    const client = redis.client();
    await until(async () => (await client.xinfo("GROUPS", "s0_stream").then(groupOf)).lag === 0);
    const stuck = await pendingIds(client);
    server = await start(undefined);
    const stored = await storedNames(server.url);
    // They were delivered 20 seconds ago.
    const age = ["IDLE", "20000", "JUSTID"];
    if (stuck.length > 0) await client.call("XCLAIM", "s0_stream", "s0_group", "consumer", "0", ...stuck, ...age);
    await until(() => [...stored].every((name) => fetched.has(name)), PATIENT);
    await until(async () => (await client.xlen("s0_stream")) === 0, PATIENT);
  });

  it("hear of the writes of every replica, also of one that runs without the setting", async () => {
    const { redis, start } = await openWorld();
    const plain = await start(undefined);
    await create(plain.url, "before", 3);
    expect(await redis.client().exists("s0_stream")).toBe(0);
    const announcing = await start(true);
    await until(async () => (await announced(redis)).size === 3, PATIENT);
    await create(plain.url, "beside", 3);
    await until(async () => (await announced(redis)).size === 6, PATIENT);
    await announcing.stop();
    await plain.stop();
    // One that starts without it finds it in the store, and announces what it writes before it answers.
    const later = await start(undefined);
    await create(later.url, "after", 3);
    await until(async () => (await announced(redis)).size === 9, PATIENT);
    await later.stop();
    const ending = await start(false);
    await create(ending.url, "ended", 1);
    expect((await announced(redis)).size).toBe(9);
  });

  it("of other shards go on while one's Redis key is taken, and the server's status says which", async () => {
    const { redis, databaseUrl, start } = await openWorld();
    const server = await start(true);
    const client = createResourceClient(server.url);
    const blind = await startServer({ databaseUrl });
    const blindClient = createResourceClient(blind.url);
    onTestFinished(async () => {
      client.close();
      blindClient.close();
      await blind.stop();
    });
    await redis.client().set("s1_stream", "another program's");
    await create(server.url, "a", 4, { shard: (index) => `s${index % 2}` });
    expect(await announced(redis)).toEqual(new Set(["a0", "a2"]));
    const taken = (await client.serverStatus()).compatStreams;
    expect(taken).toMatchObject({ state: "FAILING", message: expect.stringContaining('key "s1_stream" is no stream') });
    const without = (await blindClient.serverStatus()).compatStreams;
    expect(without).toMatchObject({ state: "FAILING", message: expect.stringContaining("REDIS_URL") });
    await redis.client().del("s1_stream");
    await until(async () => (await client.serverStatus()).compatStreams.state === "OK", PATIENT);
    expect(await announced(redis, "s1")).toEqual(new Set(["a1", "a3"]));
  });

  it("hear of every pending resource once more when Redis loses its data, in a store of several logs", async () => {
    const { redis, start } = await openWorld();
    const server = await start(true, { logCount: 3 });
    const shards = ["s0", "s1", "s2", "s3", "s4"];
    await create(server.url, "a", 30, { shard: (index) => `s${index % shards.length}` });
    const lengths = () => Promise.all(shards.map((shard) => redis.client().xlen(`${shard}_stream`)));
    // What is created while the first listing is under way is announced by the listing and by the log.
    const heardOf = () => Promise.all(shards.map((shard) => announced(redis, shard)));
    await until(async () => (await heardOf()).every(({ size }) => size === 6), PATIENT);
    await redis.client().flushall();
    await create(server.url, "b", 5, { shard: (index) => `s${index}` });
    await until(async () => (await lengths()).every((length) => length >= 7), PATIENT);
    await until(async () => (await announced(redis, "s4")).has("b4"), PATIENT);
    // A write that found the position lost may be announced by the listing and by the log.
    for (const length of await lengths()) expect(length).toBeLessThanOrEqual(8);
  });
});

async function openWorld() {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const { url: databaseUrl, drop } = await createDatabase();
  onTestFinished(drop);
  const start = async (compatStreams: boolean | undefined, config: Partial<Config> = {}): Promise<TestServer> => {
    const server = await startServer({ databaseUrl, redisUrl: redis.url, config: { compatStreams, ...config } });
    onTestFinished(() => server.stop());
    return server;
  };
  return { redis, databaseUrl, start };
}

/** Creates up to `count` resources from eight lanes; a lane ends at the first write that fails. */
async function create(
  url: string,
  prefix: string,
  count: number,
  { created = new Set<string>(), shard = (_index: number): string => "s0" } = {},
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const index = next++;
      const name = `${prefix}${index}`;
      const body = JSON.stringify({ shard_id: shard(index), name, spec: {} });
      const response = await fetch(url + RESOURCES, { method: "POST", body }).catch(() => undefined);
      if (response?.status !== 201) return;
      created.add(name);
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
}

async function storedNames(url: string): Promise<ReadonlySet<string>> {
  const response = await fetch(`${url}/api/v1/resources?limit=10000`);
  const resources = (await response.json()) as { readonly name: string }[];
  return new Set(resources.map(({ name }) => name));
}

async function announced(redis: RedisServer, shard = "s0"): Promise<ReadonlySet<string>> {
  const entries = await redis.client().xrange(`${shard}_stream`, "-", "+");
  return new Set(entries.map(([, fields]) => fields[7] ?? ""));
}

async function pendingIds(client: ReturnType<RedisServer["client"]>): Promise<string[]> {
  const pending = (await client.xpending("s0_stream", "s0_group", "-", "+", 1_000)) as [string][];
  return pending.map(([id]) => id);
}

/** The only group, from names and values in turn. */
function groupOf(groups: unknown): Readonly<Record<string, unknown>> {
  const [group] = groups as readonly (readonly unknown[])[];
  return Object.fromEntries((group ?? []).flatMap((name, i) => (i % 2 === 0 ? [[name, group?.[i + 1]]] : [])));
}
