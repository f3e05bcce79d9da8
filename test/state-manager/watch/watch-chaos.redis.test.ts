import { copyFileSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hasReason } from "../../../src/resource/errors.js";
import { createDatabase } from "../../support/postgres.js";
import { hasRedis, type RedisServer, startRedis } from "../../support/redis.js";
import { until } from "../../support/until.js";
import { Replica, type ReplicaOptions, type Seen, type Watcher } from "./replica.js";

interface Row {
  readonly revision: string;
  readonly fingerprint: string;
  readonly type: string;
  readonly name: string;
  readonly spec: string | null;
}

describe.skipIf(!hasRedis)("watches while everything breaks (2.2)", () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let redis: RedisServer;
  let admin: pg.Client;
  const replicas: Replica[] = [];

  beforeEach(async () => {
    [database, redis] = await Promise.all([createDatabase(), startRedis()]);
    admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
  });

  afterEach(async () => {
    await Promise.all(replicas.splice(0).map((replica) => replica.stop()));
    await admin.end();
    await redis.stop();
    await database.drop();
  });

  async function start(options: Partial<ReplicaOptions> = {}): Promise<Replica> {
    const replica = await Replica.start({ databaseUrl: database.url, redisUrl: redis.url, ...options });
    replicas.push(replica);
    return replica;
  }

  /** Revision by revision what PostgreSQL holds, bodies included. */
  async function expectWhole(seen: readonly Seen[]): Promise<void> {
    const { rows } = await admin.query<Row>(
      "SELECT revision, fingerprint, type, name, spec::text FROM events ORDER BY revision",
    );
    const wrong = rows.findIndex((row, i) => {
      const each = seen[i];
      const got = each && [String(each.revision), String(each.fingerprint), each.type, each.name, each.spec];
      return JSON.stringify(got) !== JSON.stringify([row.revision, row.fingerprint, row.type, row.name, row.spec]);
    });
    expect(wrong === -1 ? undefined : [rows[wrong], seen[wrong]]).toBeUndefined();
    expect(seen.length).toBe(rows.length);
  }

  const headOf = async () => Number((await admin.query("SELECT max(revision) AS head FROM events")).rows[0].head);

  it("delivers the changes of three replicas once, in order and unaltered, through flushes, kills and old dumps (I2, I3)", async () => {
    const TARGET = 6_000;
    // Small rings and streams, so that readers fall out of them into Redis and PostgreSQL.
    const small = { ringLimits: { maxEvents: 300, maxBytes: 10_000_000 }, streamMaxLength: 1_000 };
    const [one, two] = [await start(small), await start(small)];
    // Commits and never publishes, as a replica that is killed right after each commit.
    const mute = await Replica.start({ databaseUrl: database.url });
    replicas.push(mute);
    const readers: Watcher[] = await Promise.all([one, one, two, two].map((replica) => replica.open()));
    let isWriting = true;
    let written = 0;

    const names = Array.from({ length: 64 }, (_, i) => `r${i}`);
    await Promise.all(names.map((name) => one.create(name)));
    const writer = async (replica: Replica, from: number) => {
      for (let round = 0; isWriting; round++) {
        const own = names.filter((_, i) => i % 4 === from);
        const spec = { writer: from, round, padding: "x".repeat(round % 50 === 0 ? 70_000 : 100) };
        await Promise.all(own.map((name) => replica.update(name, { spec })));
        written += own.length;
      }
    };
    const writers = [writer(one, 0), writer(one, 1), writer(two, 2), writer(mute, 3)];

    /** Reads with its own connection from whatever place it left, again and again. */
    const collected: Seen[] = [];
    let token = await until(() => readers[0]?.token);
    const reconnect = async () => {
      for (let i = 0; isWriting; i++) {
        const watcher = await [one, two][i % 2]?.open({ resumeToken: token });
        if (watcher === undefined) continue;
        await sleep(40);
        watcher.close();
        await until(() => watcher.isEnded);
        collected.push(...watcher.seen);
        if (watcher.token !== "") token = watcher.token;
      }
    };
    const reconnecting = reconnect();

    const control = redis.client();
    const dump = join(redis.dataDir, "dump.rdb");
    const faults: (() => Promise<unknown>)[] = [
      () => control.flushall(),
      () => control.del(one.keys.events(0)),
      () => control.xtrim(one.keys.events(0), "MAXLEN", "=", 5),
      () => control.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
      () => control.call("CLIENT", "PAUSE", "400", "ALL"),
      () => control.script("FLUSH"),
      async () => {
        await control.save();
        copyFileSync(dump, `${dump}.old`);
      },
      async () => {
        await redis.kill();
        if (existsSync(`${dump}.old`)) copyFileSync(`${dump}.old`, dump);
        await sleep(100);
        await redis.start();
      },
      async () => {
        await redis.kill();
        rmSync(dump, { force: true });
        await redis.start();
      },
    ];
    let broken = 0;
    for (; written < TARGET || broken < 3 * faults.length; broken++) {
      await sleep(60);
      await faults[broken % faults.length]?.().catch(() => {});
    }
    isWriting = false;
    await Promise.all([...writers, reconnecting]);
    const head = await headOf();
    expect(head).toBeGreaterThanOrEqual(TARGET);
    await until(() => readers.every(({ seen }) => seen.length >= head), {
      timeoutMs: 20_000,
      what: "readers reach the head",
    });
    for (const reader of readers) {
      expect(reader.error).toBeUndefined();
      await expectWhole(reader.seen);
    }
    const last = await one.open({ resumeToken: token });
    const pieces = () => [...collected, ...last.seen].map(({ revision }) => revision);
    await until(() => pieces().at(-1) === BigInt(head));
    const from = Number(pieces()[0]);
    expect(pieces()).toEqual(Array.from({ length: head - from + 1 }, (_, i) => BigInt(from + i)));
    // Whoever comes back from further than a ring, to a Redis that is well, is fed from its stream; the faults alone leave that to luck.
    const away = readers[0]?.token;
    for (let round = 0; round < 7; round++)
      await Promise.all(names.map((name) => one.update(name, { spec: { round } })));
    await until(async () => {
      await one.update("r0", { spec: "again" });
      const [end] = await control.xrevrange(one.keys.events(0), "+", "-", "COUNT", 1).catch(() => []);
      return end?.[0] === `${await headOf()}-0`;
    });
    const back = await one.open({ resumeToken: away });
    await until(async () => back.seen.at(-1)?.revision === BigInt(await headOf()));
    expect(back.seen[0]?.revision).toBe(BigInt(head + 1));
    // And to one that is empty, from PostgreSQL.
    await control.flushall();
    const past = await one.open({ resumeToken: away });
    await until(async () => past.seen.at(-1)?.revision === BigInt(await headOf()));
    expect(past.revisions).toEqual(back.revisions);
    // Every way was used, or the test proves less than it says.
    const used = async (metric: "watchEvents" | "publisherAppends", label: string) =>
      [label, (await one.count(metric, label)) + (await two.count(metric, label)) > 0] as const;
    for (const source of ["ring", "redis", "postgres"])
      expect(await used("watchEvents", source)).toEqual([source, true]);
    for (const outcome of ["appended", "filled", "restarted", "failed"]) {
      expect(await used("publisherAppends", outcome)).toEqual([outcome, true]);
    }
  }, 120_000);

  it("feeds another replica from Redis, and from PostgreSQL while Redis is down (6)", async () => {
    const [here, there] = [await start(), await start()];
    const watcher = await here.open();
    for (let i = 0; i < 30; i++) await there.create(`a${i}`);
    await until(() => watcher.seen.length === 30);
    expect(await here.count("watchTailEvents", "redis")).toBeGreaterThanOrEqual(25);
    await redis.kill();
    for (let i = 0; i < 30; i++) await there.create(`b${i}`);
    await until(() => watcher.seen.length === 60);
    await redis.start();
    for (let i = 0; i < 30; i++) await there.create(`c${i}`);
    await until(() => watcher.seen.length === 90);
    await expectWhole(watcher.seen);
    const control = redis.client();
    await until(async () => (await control.xrevrange(there.keys.events(0), "+", "-", "COUNT", 1))[0]?.[0] === "90-0");
  });

  it("never waits longer than the limit for a silent Redis, and only once (2.6)", async () => {
    const replica = await start();
    await replica.create("a");
    await redis.client().call("CLIENT", "PAUSE", "3000", "ALL");
    const startedAt = performance.now();
    for (let i = 0; i < 10; i++) await replica.update("a", { spec: { i } });
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    expect((await replica.metrics.publisherWaitTimeouts.get()).values[0]?.value).toBe(1);
    // Redis answers again: the stream catches up by itself.
    const head = await headOf();
    const control = redis.client();
    await until(
      async () => (await control.xrevrange(replica.keys.events(0), "+", "-", "COUNT", 1))[0]?.[0] === `${head}-0`,
    );
  });

  it("drops the stream of a lost future: nothing of it is shown after a restore of PostgreSQL (I4)", async () => {
    const [here, there] = [await start(), await start()];
    await here.create("common");
    const early = await there.open();
    await until(() => early.token);
    early.close();
    const beyond = await Promise.all([here.open(), there.open()]);
    for (const name of ["lost1", "lost2", "lost3"]) await here.create(name);
    await until(() => beyond.every(({ seen }) => seen.length === 3));
    await admin.query("DELETE FROM events WHERE revision > 1");
    await admin.query("DELETE FROM resources WHERE name LIKE 'lost%'");

    const after = await Promise.all([
      here.open({ resumeToken: early.token }),
      there.open({ resumeToken: early.token }),
      here.open(),
      there.open(),
    ]);
    const fresh = await start();
    after.push(await fresh.open({ resumeToken: early.token }), await fresh.open({ sendInitialState: true }));
    await there.create("new1");
    await here.create("new2");
    await until(() => after.every(({ seen }) => seen.some(({ name }) => name === "new2")));
    const names = after.map(({ seen }) => seen.map(({ name }) => name));
    expect(names).toEqual([...Array(5).fill(["new1", "new2"]), ["common", "new1", "new2"]]);
    for (const watcher of beyond) {
      await until(() => watcher.isEnded, { timeoutMs: 15_000 });
      expect(hasReason(watcher.error, "LINEAGE_LOST")).toBe(true);
      expect(watcher.seen.map(({ name }) => name)).toEqual(["lost1", "lost2", "lost3"]);
    }
    const control = redis.client();
    await until(async () => {
      const entries = await control.xrange(here.keys.events(0), "-", "+");
      return entries.at(-1)?.[0] === "3-0" && entries.length <= 3;
    });
  });

  it("finds a restore within seconds while Redis is healthy and nobody writes (W5)", async () => {
    const replica = await start();
    const watcher = await replica.open();
    await replica.create("a");
    await until(() => watcher.seen.length === 1);
    await admin.query("DELETE FROM events");
    await until(() => watcher.isEnded, { timeoutMs: 12_000 });
    expect(hasReason(watcher.error, "LINEAGE_LOST")).toBe(true);
    const control = redis.client();
    await until(async () => (await control.exists(replica.keys.events(0))) === 0);
  });

  it("works with several logs", async () => {
    const [here, there] = [await start({ logCount: 4 }), await start({ logCount: 4 })];
    const watcher = await here.open();
    await Promise.all(
      Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? here : there).create(`r${i}`, { shardId: `s${i % 9}` })),
    );
    await until(() => watcher.seen.length === 400);
    for (const log of [0, 1, 2, 3]) {
      const ofLog = watcher.seen.filter((each) => each.log === log).map(({ revision }) => revision);
      expect(ofLog).toEqual(Array.from({ length: ofLog.length }, (_, i) => BigInt(i + 1)));
    }
    const resumed = await there.open({ resumeToken: watcher.token });
    await here.create("end");
    await until(() => resumed.seen.length === 1);
    expect(resumed.seen[0]?.name).toBe("end");
  });
});
