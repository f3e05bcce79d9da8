import type { Redis } from "ioredis";
import type { Change } from "../../resource/change.js";
import type { Metrics } from "../observability/metrics.js";
import type { RedisHealth } from "../redis-health.js";
import type { DurableChangeLog } from "./change-log.js";
import { LogAppender } from "./log-appender.js";
import { LogPublisher } from "./log-publisher.js";
import { probeStream } from "./probe-stream.js";
import type { StreamKeys } from "./stream-keys.js";

/** What a publisher works with. */
export interface PublisherOptions {
  readonly redis: Redis;
  /** Told how appends go; while it says that they fail, no write waits. */
  readonly health: RedisHealth;
  readonly keys: StreamKeys;
  readonly logCount: number;
  readonly durable: DurableChangeLog;
  readonly metrics: Metrics;
  /** Entries a stream keeps, about. 50,000 by default: minutes of history at a few hundred writes a second. */
  readonly streamMaxLength?: number | undefined;
  /** A stream nobody appends to is dropped after this long, in milliseconds; 1 h by default. */
  readonly streamIdleMs?: number | undefined;
  /** The longest a write waits for its publication, in milliseconds; 250 by default (2.6). */
  readonly maxWaitMs?: number | undefined;
}

/**
 * Brings committed changes into the Redis streams, beside the commit loop: it may delay a write by `maxWaitMs`, but neither
 * fail nor lose one. After one timeout or failure nothing waits any more (the breaker) until an append succeeds.
 */
export class Publisher {
  readonly #logs: readonly LogPublisher[];
  readonly #metrics: Metrics;
  readonly #maxWaitMs: number;
  readonly #redis: Redis;
  readonly #health: RedisHealth;
  /** Logs whose last append failed or is overdue. */
  readonly #failing = new Map<number, unknown>();

  constructor(options: PublisherOptions) {
    const { redis, health, keys, durable, metrics, logCount } = options;
    this.#redis = redis;
    this.#health = health;
    this.#metrics = metrics;
    this.#maxWaitMs = options.maxWaitMs ?? 250;
    this.#logs = Array.from({ length: logCount }, (_, log) => {
      const target = {
        stream: keys.events(log),
        maxLength: options.streamMaxLength ?? 50_000,
        idleMs: options.streamIdleMs ?? 3_600_000,
      };
      return new LogPublisher(new LogAppender({ redis, durable, log, target }), {
        appended: ({ outcome, count }) => {
          metrics.publisherAppends.inc({ outcome });
          metrics.publisherEvents.inc(count);
          this.#failing.delete(log);
          this.#report();
        },
        failed: (error) => {
          metrics.publisherAppends.inc({ outcome: "failed" });
          this.#failing.set(log, error);
          this.#report();
        },
      });
    });
    // What waits to be appended is tried again by itself: only its success shows that appends work again.
    health.setProbe("append", async () => {
      for (const error of this.#failing.values()) throw error;
      await probeStream(redis, keys);
    });
    redis.on("ready", this.#onReady);
  }

  /**
   * Publishes changes that have just committed, per log contiguous and ascending. Resolves when a write may be answered:
   * published, given up, or `maxWaitMs` over. Never rejects.
   */
  publish(changes: readonly Change[]): Promise<void> {
    const logs = byLog(changes);
    const published = [...logs].map(([log, ofLog]) => this.#logs[log]?.submit(ofLog));
    if (this.#health.isFailing("append") || published.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#metrics.publisherWaitTimeouts.inc();
        const error = new Error(`not published within ${this.#maxWaitMs} ms`);
        for (const log of logs.keys()) this.#failing.set(log, error);
        this.#report();
        resolve();
      }, this.#maxWaitMs);
      // `submit` never rejects.
      void Promise.all(published).then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Ends the appends in flight and forgets the rest: the next replica that publishes fills the streams. */
  async stop(): Promise<void> {
    this.#redis.off("ready", this.#onReady);
    await Promise.all(this.#logs.map((log) => log.stop()));
  }

  readonly #onReady = (): void => {
    for (const log of this.#logs) log.retryNow();
  };

  #report(): void {
    const [error] = this.#failing.values();
    this.#health.report("append", error);
  }
}

function byLog(changes: readonly Change[]): ReadonlyMap<number, readonly Change[]> {
  const logs = new Map<number, Change[]>();
  for (const change of changes) {
    const ofLog = logs.get(change.log);
    if (ofLog === undefined) logs.set(change.log, [change]);
    else ofLog.push(change);
  }
  return logs;
}
