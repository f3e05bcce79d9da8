import type { Logger } from "pino";
import type { Change, Position } from "../../resource/change.js";
import type { DurableChangeLog, LogExtent } from "../log/change-log.js";
import { RedisChangeLog } from "../log/redis-change-log.js";
import type { StreamKeys } from "../log/stream-keys.js";
import type { Metrics } from "../observability/metrics.js";
import type { RedisConnections } from "../redis-connection.js";
import { isRefusal } from "../redis-health.js";
import { FOLLOW_BLOCK_MS, LogFollower } from "./log-follower.js";
import { LogTail } from "./log-tail.js";
import type { RingLimits } from "./ring-buffer.js";
import { Wakeups } from "./wakeups.js";

/** With Redis healthy, or nobody watching, the poll only finds what a lost last entry or a restore hid (2.7). */
const SLOW_POLL_MS = 10_000;
/** Without Redis it is how another replica's commits are found. */
const FAST_POLL_MS = 1_000;
/** A stream that left a change out is not relied on for at least this long: what it brings next may be this replica's repair. */
const MISSED_MS = 60_000;
/** Least time between two wake-ups of the watchers. */
const WAKE_SPACING_MS = 5;
const RING_LIMITS: RingLimits = { maxEvents: 8_192, maxBytes: 64 * 1024 * 1024 };

/** What a tail works with. */
export interface TailOptions {
  readonly durable: DurableChangeLog;
  /** Undefined: fed by this process's commits and from PostgreSQL only (2.12). */
  readonly redis: { readonly connections: RedisConnections; readonly keys: StreamKeys } | undefined;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly ringLimits?: RingLimits | undefined;
  /** Called when Redis was found to hold a history that PostgreSQL no longer has: other projections there are as wrong. */
  readonly onLineageLost?: (() => void) | undefined;
  /** Called when a log has news. */
  readonly onAdvance?: (() => void) | undefined;
}

/** Follows every log of the store, once per process. */
export class Tail {
  readonly #options: TailOptions;
  /** One per log. */
  readonly logs: readonly LogTail[];
  /** Undefined without Redis. */
  readonly redisLog: RedisChangeLog | undefined;
  /** Woken when a log has news for them. */
  readonly wakeups: Wakeups;
  readonly #followers: readonly LogFollower[];
  /** Logs whose stream cannot be followed, and why as far as it is known. */
  readonly #unhealthy: Map<number, unknown>;
  /** When the stream of a log was last found to leave something out, until it brings something again. */
  readonly #missedAt = new Map<number, number>();
  #version = 0;
  #heads: readonly Position[] | undefined;
  #watchers = 0;
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<readonly LogExtent[]> | undefined;
  #nextRefresh: Promise<readonly LogExtent[]> | undefined;
  #isStopped = false;

  private constructor(options: TailOptions, extents: readonly LogExtent[]) {
    const { durable, redis, metrics, logger, onLineageLost } = options;
    this.#options = options;
    if (redis !== undefined) {
      this.redisLog = new RedisChangeLog({
        redis: redis.connections.reads,
        health: redis.connections.health,
        keys: redis.keys,
        durable,
        logger,
        onLineageLost,
      });
    }
    this.wakeups = new Wakeups({
      spacingMs: WAKE_SPACING_MS,
      heads: () => this.heads,
      onWake: (watches) => metrics.watchWakeups.inc(watches),
    });
    const shared = {
      durable,
      redis: this.redisLog,
      metrics,
      logger,
      onLineageLost,
      limits: options.ringLimits ?? RING_LIMITS,
      onAppend: (change: Change) => {
        this.wakeups.mark(change);
        this.#heads = undefined;
      },
      onReset: () => {
        this.wakeups.markAll();
        this.#heads = undefined;
      },
    };
    const onAdvance = () => {
      this.#version += 1;
      this.wakeups.notify();
      options.onAdvance?.();
    };
    this.logs = extents.map(({ head }, log) => {
      const onMissed = () => this.#onMissed(log);
      return new LogTail({ ...shared, log, head, onAdvance, onMissed });
    });
    this.#unhealthy = new Map(this.logs.map((_, log) => [log, undefined]));
    // Who cannot publish here has reason to believe that others cannot either.
    redis?.connections.health.onChange((use) => {
      if (use === "append") this.#poll();
    });
    this.#followers = redis === undefined ? [] : this.logs.map((tail, log) => this.#follow(tail, log, redis));
    this.#schedulePoll();
  }

  /** Starts at the logs' present heads. Rejects when PostgreSQL does not answer. */
  static async start(options: TailOptions): Promise<Tail> {
    return new Tail(options, await options.durable.extents());
  }

  /** Changes whenever a log has news: who saw the same version twice missed nothing between. */
  get version(): number {
    return this.#version;
  }

  /** The newest position of every log; the same object until one changes. */
  get heads(): readonly Position[] {
    this.#heads ??= this.logs.map(({ head }) => head);
    return this.#heads;
  }

  /** Changes this process has committed, per log contiguous. */
  offer(changes: readonly Change[]): void {
    for (const log of new Set(changes.map((change) => change.log))) {
      this.logs[log]?.offer(changes.filter((change) => change.log === log));
    }
  }

  /** A watch begins; the returned function, to be called once, says that it has ended. */
  addWatcher(): () => void {
    this.#watchers += 1;
    this.#options.metrics.watchers.inc();
    if (this.#watchers === 1) this.#schedulePoll();
    return () => {
      this.#watchers -= 1;
      this.#options.metrics.watchers.dec();
    };
  }

  /**
   * The logs' extents in PostgreSQL, asked after this call; what they tell is taken note of. Calls that come while one is in
   * flight share the next.
   */
  refresh(): Promise<readonly LogExtent[]> {
    this.#nextRefresh ??= Promise.resolve(this.#refreshing?.catch(() => {})).then(() => {
      this.#nextRefresh = undefined;
      this.#refreshing = this.#readExtents();
      return this.#refreshing;
    });
    return this.#nextRefresh;
  }

  /** Resolves when every ring has reached `heads`, just refreshed, and is of their lineage. */
  async settle(heads: readonly Position[]): Promise<void> {
    await Promise.all(heads.map((head, log) => this.logs[log]?.settle(head)));
  }

  /** Disconnects and ends all loops. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await Promise.all(this.#followers.map((follower) => follower.stop()));
    await Promise.all(this.logs.map((log) => log.stop()));
  }

  async #readExtents(): Promise<readonly LogExtent[]> {
    const before = this.heads;
    const extents = await this.#options.durable.extents();
    for (const [log, { head }] of extents.entries()) {
      const known = before[log];
      if (known !== undefined) this.logs[log]?.observe(head, known);
    }
    return extents;
  }

  #follow(tail: LogTail, log: number, { connections, keys }: NonNullable<TailOptions["redis"]>): LogFollower {
    const redis = connections.blocking(FOLLOW_BLOCK_MS);
    const onHealth = (isHealthy: boolean, error?: unknown) => {
      this.#setHealth(log, isHealthy, error);
      const [known] = [...this.#unhealthy.values()].filter(isRefusal);
      connections.health.report("follow", known);
    };
    return new LogFollower({ log, tail, keys, redis, onHealth, onEntry: () => this.#onEntry(log) });
  }

  /** A stream lost or regained may have cost entries: look at once. */
  #setHealth(log: number, isHealthy: boolean, error: unknown): void {
    const isChange = this.#unhealthy.has(log) === isHealthy;
    if (isHealthy) this.#unhealthy.delete(log);
    else this.#unhealthy.set(log, error);
    if (isChange) this.#poll();
  }

  #onMissed(log: number): void {
    if (this.#missedAt.size === 0)
      this.#options.logger.info({ log }, "change stream left changes out; polling for them");
    this.#missedAt.set(log, performance.now());
    this.#schedulePoll();
  }

  #onEntry(log: number): void {
    const missedAt = this.#missedAt.get(log);
    if (missedAt !== undefined && performance.now() - missedAt >= MISSED_MS) this.#missedAt.delete(log);
  }

  /** Whether the streams can be relied on to bring what other replicas commit. */
  #isFed(): boolean {
    const { redis } = this.#options;
    if (redis === undefined || redis.connections.health.isFailing("append")) return false;
    return this.#unhealthy.size === 0 && this.#missedAt.size === 0;
  }

  #schedulePoll(): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    const isSlow = this.#watchers === 0 || this.#isFed();
    this.#timer = setTimeout(() => this.#poll(), isSlow ? SLOW_POLL_MS : FAST_POLL_MS).unref();
  }

  #poll(): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    this.refresh()
      .catch((err: unknown) =>
        this.#options.logger.debug({ err }, "heads of the change log cannot be read; trying again"),
      )
      .finally(() => this.#schedulePoll());
  }
}
