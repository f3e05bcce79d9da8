import type { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Change } from "../../../src/resource/change.js";
import { LogAppender } from "../../../src/state-manager/log/log-appender.js";
import { dropStream, publish } from "../../../src/state-manager/log/publish-script.js";
import { decodeEntry } from "../../../src/state-manager/log/stream-entry.js";
import { TestHistory } from "../../support/changes.js";
import { hasRedis, type RedisServer, startRedis } from "../../support/redis.js";
import { TestLog } from "../../support/test-log.js";

const target = { stream: "rt:{store:0}:events", maxLength: 10_000, idleMs: 60_000 };

describe.skipIf(!hasRedis)("the publish script", () => {
  let server: RedisServer;
  let redis: Redis;
  let history: TestHistory;
  let durable: TestLog;

  beforeAll(async () => {
    server = await startRedis();
    redis = server.client();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    await redis.flushall();
    history = new TestHistory();
    durable = new TestLog(history);
  });

  const run = (changes: readonly Change[]) => publish(redis, target, changes, undefined);
  const append = (changes: readonly Change[]) => new LogAppender({ redis, durable, log: 0, target }).append(changes);

  async function stream(): Promise<readonly (Change | undefined)[]> {
    return (await redis.xrange(target.stream, "-", "+")).map((entry) => decodeEntry(0, entry).change);
  }

  it("starts an empty stream with what it is given, and reads back the same changes", async () => {
    history.appendMany(3);
    const changes = history.appendMany(2, {
      resource: { specJson: null, statusJson: '{"a": 12345678901234567890}', labels: new Map([["__proto__", "ü"]]) },
    });
    expect(await run(changes)).toEqual({ type: "restarted", count: 2 });
    expect(await stream()).toEqual(changes);
  });

  it("appends after the predecessor", async () => {
    await run(history.appendMany(3));
    expect(await run(history.appendMany(2))).toEqual({ type: "appended", count: 2 });
    expect(await stream()).toEqual(history.changes);
  });

  it("says how far the stream is behind and leaves it alone", async () => {
    await run(history.appendMany(3));
    const last = history.head;
    history.append();
    expect(await run(history.appendMany(2))).toEqual({ type: "behind", last });
    expect(await stream()).toHaveLength(3);
  });

  it("writes nothing twice, whoever published first", async () => {
    const changes = history.appendMany(5);
    await run(changes.slice(0, 3));
    expect(await run(changes)).toEqual({ type: "appended", count: 2 });
    expect(await run(changes)).toEqual({ type: "already" });
    expect(await run(changes.slice(1, 3))).toEqual({ type: "already" });
    expect(await stream()).toEqual(changes);
  });

  it("starts again where the lineage differs: at the predecessor, at the end and inside (2.4)", async () => {
    for (const [common, length] of [
      [3, 1],
      [2, 1],
      [1, 6],
    ] as const) {
      await redis.flushall();
      const old = new TestHistory();
      await run(old.appendMany(3));
      const fork = old.forkAt(common);
      fork.append();
      const changes = fork.appendMany(length);
      const isFollowing = common === 3;
      expect((await run(changes)).type).toBe(isFollowing ? "behind" : "restarted");
      if (!isFollowing) expect(await stream()).toEqual(changes);
    }
  });

  it("starts again with lower numbers than the stream ever saw", async () => {
    await run(history.appendMany(50));
    const fork = history.forkAt(10);
    const changes = fork.appendMany(2);
    expect(await run(changes)).toEqual({ type: "restarted", count: 2 });
    await redis.xdel(target.stream, "11-0", "12-0");
    const lower = history.forkAt(5).appendMany(1);
    expect(await run(lower)).toEqual({ type: "restarted", count: 1 });
  });

  it("cannot judge changes that were trimmed away", async () => {
    const changes = history.appendMany(10);
    await run(changes);
    await redis.xtrim(target.stream, "MAXLEN", "=", 3);
    expect(await run(changes.slice(2, 4))).toEqual({ type: "unverifiable", last: history.head });
  });

  it("replaces a key that is no stream", async () => {
    await redis.set(target.stream, "x");
    expect(await run(history.appendMany(1))).toEqual({ type: "restarted", count: 1 });
  });

  it("keeps about the length it is told and expires when idle (I9)", async () => {
    const small = { ...target, maxLength: 100 };
    for (let i = 0; i < 20; i++) await publish(redis, small, history.appendMany(50), undefined);
    expect(await redis.xlen(target.stream)).toBeLessThanOrEqual(300);
    expect(await redis.pttl(target.stream)).toBeGreaterThan(50_000);
  });

  it("restarts on demand only while the entry that was judged is still the last", async () => {
    await run(history.appendMany(3));
    const judged = history.head;
    const changes = history.appendMany(2);
    await run(changes);
    expect((await publish(redis, target, changes, judged)).type).toBe("already");
    expect((await publish(redis, target, changes, history.head)).type).toBe("restarted");
    await dropStream(redis, target.stream, judged);
    expect(await redis.exists(target.stream)).toBe(1);
    await dropStream(redis, target.stream, history.head);
    expect(await redis.exists(target.stream)).toBe(0);
  });

  it("leaves large bodies out (2.6)", async () => {
    const large = history.append({ resource: { specJson: `"${"ü".repeat(40_000)}"` } });
    const small = history.append({ resource: { specJson: `"${"u".repeat(40_000)}"` } });
    await run([large, small]);
    expect(await stream()).toEqual([undefined, small]);
  });

  it("is known again after Redis forgot its scripts", async () => {
    await run(history.appendMany(1));
    await redis.script("FLUSH");
    expect((await run(history.appendMany(1))).type).toBe("appended");
  });

  describe("repaired by the appender", () => {
    it("fills a stream that is behind from the durable log", async () => {
      await append(history.appendMany(3));
      history.appendMany(200);
      expect(await append(history.appendMany(2))).toEqual({ outcome: "filled", count: 202 });
      expect(await stream()).toEqual(history.changes);
    });

    it("starts again instead of filling more than 1,000 changes", async () => {
      await append(history.appendMany(3));
      history.appendMany(1_001);
      const run = history.appendMany(2);
      expect(await append(run)).toEqual({ outcome: "restarted", count: 2 });
      expect(await stream()).toEqual(run);
    });

    it("starts again when the stream's end is of another lineage or compacted", async () => {
      await append(history.appendMany(3));
      durable.history = history.forkAt(2);
      durable.history.appendMany(5);
      const run = durable.history.appendMany(2);
      expect(await append(run)).toEqual({ outcome: "restarted", count: 2 });
      expect(await stream()).toEqual(run);

      durable.history.appendMany(3);
      durable.floor = 11;
      expect((await append(durable.history.appendMany(1))).outcome).toBe("restarted");
    });

    it("asks the durable log about a stream that is ahead and trimmed", async () => {
      const changes = history.appendMany(20);
      await append(changes);
      await redis.xtrim(target.stream, "MAXLEN", "=", 3);
      expect(await append(changes.slice(2, 4))).toEqual({ outcome: "already", count: 0 });

      durable.history = history.forkAt(10);
      const run = durable.history.appendMany(2);
      expect(await append(run)).toEqual({ outcome: "restarted", count: 2 });
      expect(await stream()).toEqual(run);
    });

    it("fails without harm when the durable log is away", async () => {
      await append(history.appendMany(3));
      history.append();
      durable.isAway = true;
      const changes = history.appendMany(1);
      await expect(append(changes)).rejects.toThrow("away");
      durable.isAway = false;
      expect((await append(changes)).outcome).toBe("filled");
      expect(await stream()).toEqual(history.changes);
    });
  });
});
