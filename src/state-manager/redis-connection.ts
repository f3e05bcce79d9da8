import { Redis } from "ioredis";
import type { Logger } from "pino";
import { backoffMs } from "../resource/backoff.js";

/** The longest a command may take: Redis answers in a millisecond, or the answer is not worth waiting for. */
const COMMAND_TIMEOUT_MS = 1_000;
/** A connection that owes an answer and stays silent for this long is given up, so that a lost peer is noticed. */
const SOCKET_TIMEOUT_MS = 3_000;
const CONNECT_TIMEOUT_MS = 2_000;
const RECONNECT_BASE_MS = 50;
const RECONNECT_MAX_MS = 1_000;
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

  /** For short commands, shared by everything. */
  readonly commands: Redis;
  /** For reading streams: megabytes on their way to a slow watcher must not hold up a publication. */
  readonly reads: Redis;

  constructor(url: string, logger: Logger) {
    this.#url = url;
    this.#logger = logger;
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
    let isAway = false;
    redis.on("error", (err: Error) => {
      if (!isAway) this.#logger.warn({ err, purpose }, "redis connection lost; going on without it");
      isAway = true;
    });
    redis.on("ready", () => {
      if (isAway) this.#logger.info({ purpose }, "redis connection is back");
      isAway = false;
    });
  }
}

/** Asks Redis now; its version, empty where the user may not ask for that. Rejects when there is no answer. */
export async function askVersion(redis: Redis): Promise<string> {
  if (!isReady(redis)) throw new Error("Redis is not connected");
  await redis.ping();
  const info = await redis.info("server").catch(() => "");
  return /^redis_version:(\S+)/m.exec(info)?.[1] ?? "";
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
