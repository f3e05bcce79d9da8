import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Change } from "../../../src/resource/change.js";
import { Publisher } from "../../../src/state-manager/log/publisher.js";
import { decodeEntry } from "../../../src/state-manager/log/stream-entry.js";
import { StreamKeys } from "../../../src/state-manager/log/stream-keys.js";
import { createMetrics, type Metrics } from "../../../src/state-manager/observability/metrics.js";
import { RedisConnections } from "../../../src/state-manager/redis-connection.js";
import { TestHistory } from "../../support/changes.js";
import { hasRedis, type RedisServer, startRedis } from "../../support/redis.js";
import { TestLog } from "../../support/test-log.js";
import { until } from "../../support/until.js";

const keys = new StreamKeys("0190c6f0-1111-7222-8333-444455556666");
const logger = pino({ level: "silent" });

describe.skipIf(!hasRedis)("Publisher", () => {
  let server: RedisServer;
  let connections: RedisConnections;
  let metrics: Metrics;
  let history: TestHistory;
  let publisher: Publisher;

  beforeEach(async () => {
    server = await startRedis();
    connections = new RedisConnections(server.url, logger);
    metrics = createMetrics();
    history = new TestHistory();
    const durable = new TestLog(history);
    publisher = new Publisher({
      redis: connections.commands,
      health: connections.health,
      keys,
      logCount: 2,
      durable,
      metrics,
      maxWaitMs: 100,
    });
    await until(() => connections.commands.status === "ready");
  });

  afterEach(async () => {
    await publisher.stop();
    connections.close();
    await server.stop();
  });

  async function stream(log = 0): Promise<readonly (Change | undefined)[]> {
    return (await server.client().xrange(keys.events(log), "-", "+")).map((entry) => decodeEntry(log, entry).change);
  }

  async function timed(changes: readonly Change[]): Promise<number> {
    const startedAt = performance.now();
    await publisher.publish(changes);
    return performance.now() - startedAt;
  }

  it("has published when it resolves, each log to its own stream", async () => {
    const other = new TestHistory(1);
    await publisher.publish([...history.appendMany(3), ...other.appendMany(2)]);
    expect(await stream(0)).toEqual(history.changes);
    expect(await stream(1)).toEqual(other.changes);
  });

  it("publishes what comes meanwhile together, in order", async () => {
    await Promise.all(Array.from({ length: 200 }, () => publisher.publish(history.appendMany(3))));
    expect(await stream()).toEqual(history.changes);
    const { values } = await metrics.publisherAppends.get();
    expect(values.reduce((sum, { value }) => sum + value, 0)).toBeLessThan(20);
  });

  it("keeps batches apart between which another replica committed", async () => {
    const mine = history.appendMany(2);
    history.appendMany(2);
    const later = history.appendMany(2);
    await Promise.all([publisher.publish(mine), publisher.publish(later)]);
    expect(await stream()).toEqual(history.changes);
  });

  it("makes one write wait for a silent Redis, and none after it until Redis answers (2.6)", async () => {
    await publisher.publish(history.appendMany(1));
    await server.client().call("CLIENT", "PAUSE", "1500", "ALL");
    const first = await timed(history.appendMany(1));
    expect(first).toBeGreaterThan(90);
    expect(first).toBeLessThan(400);
    for (let i = 0; i < 20; i++) expect(await timed(history.appendMany(1))).toBeLessThan(50);
    expect((await metrics.publisherWaitTimeouts.get()).values[0]?.value).toBe(1);
    await until(async () => (await stream()).length === history.changes.length);
    // A timed out command may still have been carried out: nothing is there twice.
    expect(await stream()).toEqual(history.changes);
  });

  it("does not wait for a Redis that is away, bounds what it remembers, and catches up by itself (I9)", async () => {
    await publisher.publish(history.appendMany(5));
    await server.kill();
    const memory = process.memoryUsage().heapUsed;
    for (let i = 0; i < 400; i++) {
      await timed(history.appendMany(1));
      void publisher.publish(history.appendMany(50));
    }
    expect(process.memoryUsage().heapUsed - memory).toBeLessThan(200_000_000);
    expect(await timed(history.appendMany(1))).toBeLessThan(50);
    await server.start();
    await until(async () => (await stream()).at(-1)?.revision === history.head.revision);
    await publisher.publish(history.appendMany(2));
    const entries = await stream();
    expect(entries).toEqual(history.changes.slice(-entries.length));
  });

  it("stops while Redis is away", async () => {
    await server.kill();
    void publisher.publish(history.appendMany(1));
    await publisher.stop();
    await publisher.publish(history.appendMany(1));
  });
});
