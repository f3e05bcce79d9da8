import type { Redis } from "ioredis";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ORIGIN } from "../../../src/resource/change.js";
import { LogAppender } from "../../../src/state-manager/log/log-appender.js";
import { RedisChangeLog } from "../../../src/state-manager/log/redis-change-log.js";
import { StreamKeys } from "../../../src/state-manager/log/stream-keys.js";
import { RedisHealth } from "../../../src/state-manager/redis-health.js";
import { TestHistory } from "../../support/changes.js";
import { hasRedis, type RedisServer, startRedis } from "../../support/redis.js";
import { TestLog } from "../../support/test-log.js";
import { until } from "../../support/until.js";

const keys = new StreamKeys("0190c6f0-1111-7222-8333-444455556666");
const stream = keys.events(0);
const logger = pino({ level: "silent" });

describe.skipIf(!hasRedis)("RedisChangeLog", () => {
  let server: RedisServer;
  let redis: Redis;
  let history: TestHistory;
  let durable: TestLog;
  let log: RedisChangeLog;

  beforeAll(async () => {
    server = await startRedis();
    redis = server.client();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    await redis.flushall();
    history = new TestHistory();
    durable = new TestLog(history);
    log = new RedisChangeLog({ redis, health: new RedisHealth(logger, () => {}), keys, durable, logger });
  });

  const publish = (count: number) =>
    new LogAppender({
      redis,
      durable,
      log: 0,
      target: { stream, maxLength: 1_000, idleMs: 60_000 },
    }).append(history.appendMany(count));

  it("returns what follows a position, up to the limit", async () => {
    await publish(10);
    expect(await log.read(0, ORIGIN, 100)).toEqual(history.changes);
    expect(await log.read(0, history.positionAt(4), 3)).toEqual(history.changes.slice(4, 7));
  });

  it("leaves to PostgreSQL what it cannot serve: the end, the past, another lineage, an empty stream", async () => {
    expect(await log.read(0, ORIGIN, 10)).toBeUndefined();
    await publish(10);
    expect(await log.read(0, history.head, 10)).toBeUndefined();
    const fork = history.forkAt(4);
    fork.appendMany(3);
    expect(await log.read(0, fork.positionAt(6), 10)).toBeUndefined();
    await redis.xtrim(stream, "MAXLEN", "=", 5);
    expect(await log.read(0, history.positionAt(3), 10)).toBeUndefined();
    expect(await log.read(0, history.positionAt(5), 10)).toEqual(history.changes.slice(5));
  });

  it("refuses a stream with a hole, and entries it did not write", async () => {
    await publish(10);
    await redis.xdel(stream, "5-0");
    expect(await log.read(0, ORIGIN, 10)).toBeUndefined();
    await redis.xadd(stream, "11-0", "foo", "bar");
    expect(await log.read(0, history.positionAt(7), 10)).toBeUndefined();
    await redis.del(stream);
    await redis.set(stream, "no stream");
    expect(await log.read(0, ORIGIN, 10)).toBeUndefined();
  });

  it("fetches large bodies from PostgreSQL, and stops where they are of another history", async () => {
    const spec = { resource: { specJson: `"${"x".repeat(70_000)}"` } };
    const changes = [...history.appendMany(2), history.append(spec), ...history.appendMany(1)];
    await new LogAppender({
      redis,
      durable,
      log: 0,
      target: { stream, maxLength: 1_000, idleMs: 60_000 },
    }).append(changes);
    expect(await log.read(0, ORIGIN, 10)).toEqual(changes);
    durable.history = history.forkAt(2);
    durable.history.appendMany(3);
    expect(await log.read(0, ORIGIN, 10)).toEqual(changes.slice(0, 2));
    expect(await log.read(0, history.positionAt(2), 10)).toBeUndefined();
  });

  it("fetches no more large bodies for one read than memory is meant for, whatever the limit", async () => {
    const spec = { resource: { specJson: `"${"x".repeat(1_000_000)}"` } };
    await new LogAppender({
      redis,
      durable,
      log: 0,
      target: { stream, maxLength: 1_000, idleMs: 60_000 },
    }).append(history.appendMany(20, spec));
    expect(await log.read(0, ORIGIN, 512)).toEqual(history.changes.slice(0, 5));
    expect(await log.read(0, history.positionAt(5), 512)).toEqual(history.changes.slice(5, 10));
  });

  it("drops a stream that goes beyond PostgreSQL before it reads it (I4)", async () => {
    await publish(10);
    durable.history = history.forkAt(6);
    // The chain is in order, and follows the common position 6: only PostgreSQL tells.
    expect(await log.read(0, history.positionAt(6), 10)).toBeUndefined();
    expect(await redis.exists(stream)).toBe(0);
  });

  it("looks again after a doubt and after a reconnect", async () => {
    await publish(10);
    expect(await log.read(0, ORIGIN, 100)).toHaveLength(10);
    durable.history = history.forkAt(6);
    log.distrust(0);
    expect(await log.read(0, ORIGIN, 100)).toBeUndefined();

    history = durable.history;
    await publish(2);
    expect(await log.read(0, history.positionAt(6), 100)).toHaveLength(2);
    durable.history = history.forkAt(7);
    const closed = new Promise((resolve) => redis.once("close", resolve));
    redis.disconnect(true);
    await closed;
    await until(() => redis.status === "ready");
    expect(await log.read(0, history.positionAt(6), 100)).toBeUndefined();
    expect(await redis.exists(stream)).toBe(0);
  });

  it("does not read a stream it cannot check", async () => {
    await publish(3);
    durable.isAway = true;
    expect(await log.read(0, ORIGIN, 10)).toBeUndefined();
    durable.isAway = false;
    expect(await log.read(0, ORIGIN, 10)).toHaveLength(3);
  });
});
