import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createResourceClient, type ResourceClient } from "../../src/client/index.js";
import { freePort } from "../../src/shared/free-port.js";
import { createDatabase } from "../support/postgres.js";
import { hasRedis, type RedisServer, startRedis } from "../support/redis.js";
import { startServer, type TestServer } from "../support/server.js";
import { until } from "../support/until.js";

/** Far below the 10 s that a change took to reach the other replica, far above the second that it is polled for. */
const LATE_MS = 6_000;

/** A Redis that is connected, answers PING, and refuses something that the server needs. */
describe.skipIf(!hasRedis)("a Redis that refuses", { timeout: 60_000 }, () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let redis: RedisServer;
  let control: Redis;
  let replicas: readonly TestServer[] = [];
  let near: ResourceClient;
  let far: ResourceClient;
  const seen: string[] = [];
  const watching = new AbortController();
  let written = 0;

  beforeAll(async () => {
    [database, redis] = await Promise.all([createDatabase(), startRedis()]);
    control = redis.client();
    const start = () => startServer({ databaseUrl: database.url, redisUrl: redis.url });
    replicas = [await start(), await start()];
    [near, far] = replicas.map(({ url }) => createResourceClient(url)) as [ResourceClient, ResourceClient];
    const batches = far.watch({}, { sendInitialState: true, signal: watching.signal });
    const synced = new Promise<void>((resolve) => {
      void (async () => {
        for await (const { events } of batches)
          for (const event of events) {
            if (event.type === "SYNCED") resolve();
            if ("resource" in event) seen.push(event.resource.key.name);
          }
      })();
    });
    await synced;
    await write();
    await heard();
  });

  afterAll(async () => {
    watching.abort();
    near.close();
    far.close();
    await Promise.all(replicas.map((replica) => replica.stop()));
    await redis.stop();
    await database.drop();
  });

  const key = (name: string) => ({ resourceGroup: "apps", kind: "Widget", namespace: "default", name });
  const write = () => near.apply({ key: key(`w${++written}`), spec: written });
  const heard = () => until(() => seen.length === written, { timeoutMs: LATE_MS, what: `change ${written} is seen` });
  const problemsOf = async (client: ResourceClient) => (await client.serverStatus()).redis;

  /** Both replicas say what fails, and stop saying so. */
  async function expectTold(message: RegExp): Promise<void> {
    for (const client of [near, far]) {
      const { state, message: told } = await problemsOf(client);
      expect([state, told]).toEqual(["FAILING", expect.stringMatching(message)]);
    }
  }
  async function expectRecovered(): Promise<void> {
    for (const client of [near, far])
      await until(async () => (await problemsOf(client)).state === "OK", { what: "the status is OK again" });
    await write();
    await heard();
    expect(await metric(replicas[1], 'redis_failing{use="append"}')).toBe(0);
  }

  it.each<[string, RegExp, () => Promise<unknown>, () => Promise<unknown>]>([
    [
      "writes as a replica (REPLICAOF)",
      /READONLY .*REDIS_URL leads to a read-only replica/,
      async () => control.replicaof("127.0.0.1", await freePort()),
      () => control.replicaof("NO", "ONE"),
    ],
    [
      "writes for want of memory (maxmemory, noeviction)",
      /OOM .*maxmemory/,
      () => control.config("SET", "maxmemory", "1"),
      () => control.config("SET", "maxmemory", "0"),
    ],
    [
      "scripts (ACL)",
      /NOPERM .*evalsha.*grant it/,
      () => control.acl("SETUSER", "default", "-evalsha", "-eval"),
      () => control.acl("SETUSER", "default", "+@all"),
    ],
  ])(
    "%s is told by the status, and delays other replicas' watchers by a second instead of ten",
    async (_, said, refuse, allow) => {
      await refuse();
      try {
        for (let i = 0; i < 2; i++) {
          await write();
          await heard();
        }
        await expectTold(said);
        await expectTold(/change streams cannot be written/);
        expect(await metric(replicas[0], 'redis_failing{use="append"}')).toBe(1);
        const response = await fetch(`${replicas[0]?.url}/health/ready`);
        expect([response.status, await response.text()]).toEqual([
          200,
          expect.stringContaining("Redis: change streams"),
        ]);
      } finally {
        await allow();
      }
      await expectRecovered();
    },
  );

  it.each<[string, RegExp, readonly string[]]>([
    ["to announce due work", /due work cannot be announced .*NOPERM/, ["-publish"]],
    ["its channels", /announcements of due work are not received .*NOPERM/, ["resetchannels"]],
    ["to be followed", /change streams cannot be followed .*NOPERM.*xread/, ["-xread"]],
    ["to be read, but for XREAD", /change streams cannot be read .*NOPERM/, ["-xrange", "-xrevrange"]],
    ["the cache's writes", /the resource cache cannot be used .*script can't run.*grant it/, ["-hset", "-hsetnx"]],
    ["the cache's reads", /the resource cache cannot be used .*NOPERM.*hmget/, ["-hmget"]],
  ])("%s is told by the status, and stops nothing", async (_, said, rules) => {
    await control.acl("SETUSER", "default", ...rules);
    try {
      await until(async () => {
        await expectTold(said);
        return true;
      });
      await write();
      await heard();
    } finally {
      await control.acl("SETUSER", "default", "+@all", "allchannels");
    }
    await expectRecovered();
  });

  it("writes of one replica only: the others poll once a poll has found what the stream did not bring", async () => {
    await control.acl("SETUSER", "mute", "on", "nopass", "allkeys", "allchannels", "+@all", "-eval", "-evalsha");
    const redisUrl = redis.url.replace("redis://", "redis://mute:any@");
    const mute = await startServer({ databaseUrl: database.url, redisUrl });
    const client = createResourceClient(mute.url);
    try {
      // The replica that can write knows of nothing; a watch that opens asks PostgreSQL, as its poll would.
      await client.apply({ key: key(`w${++written}`), spec: written });
      await once(far.watch({}, { sendInitialState: true, signal: watching.signal }));
      await heard();
      for (let i = 0; i < 2; i++) {
        await client.apply({ key: key(`w${++written}`), spec: written });
        await heard();
      }
      expect((await problemsOf(far)).state).toBe("OK");
      expect((await problemsOf(client)).message).toMatch(/NOPERM .*evalsha/);
    } finally {
      client.close();
      await mute.stop();
    }
  });

  it("a Redis that refuses PING and INFO, which nothing needs, is well", async () => {
    await control.acl("SETUSER", "default", "-ping", "-info");
    try {
      expect(await problemsOf(near)).toMatchObject({ state: "OK", message: "", version: "" });
    } finally {
      await control.acl("SETUSER", "default", "+@all");
    }
  });

  it("a Redis that turns read-only is left for the one that its name leads to by then", async () => {
    const clients = async () => (await control.client("LIST")) as string;
    const idsOf = (list: string) => [...list.matchAll(/^id=(\d+) .*name=reconcile-/gm)].map(([, id]) => id);
    const before = idsOf(await clients());
    expect(before.length).toBeGreaterThanOrEqual(8);
    await control.replicaof("127.0.0.1", await freePort());
    try {
      await until(async () => {
        await write();
        const now = idsOf(await clients());
        return now.length === before.length && now.every((id) => !before.includes(id));
      });
    } finally {
      await control.replicaof("NO", "ONE");
    }
    await expectRecovered();
  });
});

async function once(batches: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of batches) return;
}

async function metric(server: TestServer | undefined, name: string): Promise<number> {
  const text = await (await fetch(`${server?.url}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return Number(line?.split(" ")[1]);
}
