import { Redis } from "ioredis";
import type { Logger } from "pino";
import { backoffMs } from "../resource/backoff.js";
import { describeProblem, RedisHealth } from "./redis-health.js";

/** The longest a command may take: Redis answers in a millisecond, or the answer is not worth waiting for. */
const COMMAND_TIMEOUT_MS = 1_000;
/** A connection that owes an answer and stays silent for this long is given up, so that a lost peer is noticed. */
const SOCKET_TIMEOUT_MS = 3_000;
const CONNECT_TIMEOUT_MS = 2_000;
const RECONNECT_BASE_MS = 50;
const RECONNECT_MAX_MS = 1_000;
/** Connections to a Redis that is read-only are given up at most this often: its name may lead to the new primary by then. */
const READ_ONLY_RECONNECT_MS = 5_000;
/** A subscriber sends nothing; its pings let the socket timeout notice a lost peer. */
const SUBSCRIBER_PING_MS = 5_000;

/** What a connection is for; names it in `CLIENT LIST` and in logs. */
type RedisPurpose = "commands" | "reads" | "tail" | "doorbell";

/**
 * The only place that makes Redis clients. They connect at once and for ever again, never queue a command while they are
 * disconnected, and never send one twice: Redis is a projection (2.2), so its callers carry on without it.
 */
export class RedisConnections {
  readonly #url: string;
  readonly #logger: Logger;
  readonly #open = new Set<Redis>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Connections whose last attempt failed. */
  readonly #outages = new Map<Redis, Error>();
  #reconnectedAt = Number.NEGATIVE_INFINITY;

  /** Whether Redis does what is needed of it. */
  readonly health: RedisHealth;
  /** For short commands, shared by everything. */
  readonly commands: Redis;
  /** For reading streams: megabytes on their way to a slow watcher must not hold up a publication. */
  readonly reads: Redis;

  constructor(url: string, logger: Logger) {
    this.#url = url;
    this.#logger = logger;
    this.health = new RedisHealth(logger, () => this.#leaveReplica());
    this.health.setProbe("connect", async () => {
      for (const redis of this.#open) if (!isReady(redis)) throw this.#outages.get(redis) ?? new Error("not connected");
    });
    this.commands = this.#connect("commands", COMMAND_TIMEOUT_MS);
    this.reads = this.#connect("reads", COMMAND_TIMEOUT_MS);
  }

  /** A connection for commands that block up to `blockMs`; its owner's alone. */
  blocking(blockMs: number): Redis {
    return this.#connect("tail", blockMs + COMMAND_TIMEOUT_MS);
  }

  /** A connection for pub/sub; its owner subscribes again on every "ready". */
  subscriber(): Redis {
    const redis = this.#connect("doorbell", COMMAND_TIMEOUT_MS);
    // A failed ping is a broken connection, which ioredis already repairs.
    const ping = () => redis.status === "ready" && redis.ping().catch(() => {});
    this.#timers.add(setInterval(ping, SUBSCRIBER_PING_MS).unref());
    return redis;
  }

  /** Ends all connections; pending commands are rejected. Safe to call twice. */
  close(): void {
    this.health.close();
    for (const timer of this.#timers) clearInterval(timer);
    for (const redis of this.#open) redis.disconnect();
    this.#open.clear();
  }

  #connect(purpose: RedisPurpose, commandTimeoutMs: number): Redis {
    const redis = new Redis(this.#url, {
      connectionName: `reconcile-${purpose}`,
      // Nothing of RESP3 is used, and proxies and old servers speak 2.
      protocol: 2,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SOCKET_TIMEOUT_MS,
      keepAlive: 10_000,
      autoResubscribe: false,
      retryStrategy: (attempt) => backoffMs(attempt, RECONNECT_BASE_MS, RECONNECT_MAX_MS, Math.random()),
      commandTimeout: commandTimeoutMs,
    });
    this.#logOutages(redis, purpose);
    this.#open.add(redis);
    return redis;
  }

  /** One line per outage, not one per attempt. */
  #logOutages(redis: Redis, purpose: RedisPurpose): void {
    redis.on("error", (err: Error) => {
      if (!this.#outages.has(redis)) this.#logger.warn({ err, purpose }, "redis connection lost; going on without it");
      this.#outages.set(redis, err);
      this.health.report("connect", err);
    });
    redis.on("ready", () => {
      if (this.#outages.delete(redis)) this.#logger.info({ purpose }, "redis connection is back");
      this.health.report("connect", [...this.#outages.values()][0]);
    });
  }

  /**
   * Connects anew after a failover: the old primary answers, as a replica, and its name may lead to the new one by now. All
   * connections, as what is read must be where it is written.
   */
  #leaveReplica(): void {
    const now = performance.now();
    if (now - this.#reconnectedAt < READ_ONLY_RECONNECT_MS) return;
    this.#reconnectedAt = now;
    this.#logger.warn("redis is a read-only replica; connecting anew");
    for (const redis of this.#open) redis.disconnect(true);
  }
}

/** How Redis is, asked now. */
export interface RedisAnswer {
  /** Empty when it does not answer, and where the user may not ask for it. */
  readonly version: string;
  /** What of it does not work, and what to do; empty when all does. */
  readonly problem: string;
}

/** Tries everything the server needs of Redis. Never rejects. */
export async function askRedis({ commands, health }: RedisConnections): Promise<RedisAnswer> {
  const [info] = await Promise.all([isReady(commands) ? commands.info("server").catch(() => "") : "", health.check()]);
  return {
    version: /^redis_version:(\S+)/m.exec(info)?.[1] ?? "",
    problem: health.problems.map(describeProblem).join("; "),
  };
}

/** Has Redis told at once what `send` has to say: each command by itself is a call of the system, and wakes Redis. */
export function together<T>(redis: Redis | undefined, send: () => T): T {
  if (redis === undefined || !isReady(redis)) return send();
  const { stream } = redis;
  stream.cork();
  try {
    return send();
  } finally {
    stream.uncork();
  }
}

/** Connections whose turn's end is waited for. */
const GATHERING = new WeakSet<Redis>();

/**
 * `together` with everything else that Redis is told in this turn of the event loop, at its end. What `together` says meanwhile
 * waits for that end, too.
 */
export function togetherThisTurn<T>(redis: Redis, send: () => T): T {
  if (!GATHERING.has(redis)) {
    const { stream } = redis;
    GATHERING.add(redis);
    stream.cork();
    setImmediate(() => {
      GATHERING.delete(redis);
      stream.uncork();
    });
  }
  return send();
}

/** Whether a command sent now has a chance. */
export function isReady(redis: Redis): boolean {
  return redis.status === "ready";
}
