import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { Change, Position } from "../../resource/change.js";
import { hasReason } from "../../resource/errors.js";
import { isReady } from "../redis-connection.js";
import type { RedisHealth } from "../redis-health.js";
import type { ChangeLog, DurableChangeLog } from "./change-log.js";
import { changeSize } from "./change-size.js";
import { dropStream } from "./publish-script.js";
import { decodeEntry, type RawEntry, type StreamEntry } from "./stream-entry.js";
import { entryId, type StreamKeys } from "./stream-keys.js";

/** Bytes of bodies fetched from PostgreSQL for one read, about; the last one may go beyond. The chain ends there (I9). */
const FETCH_MAX_BYTES = 4 * 1024 * 1024;

/** What a Redis log works with. */
export interface RedisChangeLogOptions {
  readonly redis: Redis;
  readonly health: RedisHealth;
  readonly keys: StreamKeys;
  /** Holds the bodies that travel by reference. */
  readonly durable: DurableChangeLog;
  readonly logger: Logger;
  /** Called when a stream, and so whatever else is in Redis, turned out to be of a history that is no more. */
  readonly onLineageLost?: (() => void) | undefined;
}

/**
 * The recent part of the log, from Redis Streams. Answers only with an unbroken chain that starts right after the asked
 * position (W2, W3); for everything else, and whenever Redis fails, the answer is undefined: ask PostgreSQL.
 *
 * A chain alone does not tell a stream that outlived a restore of PostgreSQL: its entries follow the last common position
 * well enough. So a stream is read only after its last entry was found in PostgreSQL, once per connection and again
 * whenever somebody doubts it (I4).
 */
export class RedisChangeLog implements ChangeLog {
  readonly #options: RedisChangeLogOptions;
  /** Logs whose stream was found to be of PostgreSQL's history. */
  readonly #trusted = new Set<number>();
  readonly #verifying = new Map<number, Promise<void>>();
  /** Raised by every doubt: a check that began before it proves nothing. */
  #doubts = 0;

  constructor(options: RedisChangeLogOptions) {
    this.#options = options;
    // Whatever comes back under this address may hold another past.
    options.redis.on("close", () => this.#trusted.clear());
    options.health.setProbe("read", () => options.redis.xrange(options.keys.probe(), "-", "+", "COUNT", 1));
  }

  /** PostgreSQL's history of `log` may have been replaced: its stream must be checked before it is read again. */
  distrust(log: number): void {
    this.#doubts += 1;
    this.#trusted.delete(log);
  }

  /** Never rejects; never answers with an empty list, as Redis cannot know that there is nothing more. */
  async read(log: number, after: Position, limit: number): Promise<readonly Change[] | undefined> {
    const { redis, health, keys, logger } = this.#options;
    if (!isReady(redis)) return undefined;
    try {
      if (!this.#trusted.has(log)) await this.#verifyOnce(log);
      if (!this.#trusted.has(log)) return undefined;
      const from = entryId(after.revision + 1n);
      const ask = (): Promise<readonly RawEntry[]> => redis.xrange(keys.events(log), from, "+", "COUNT", limit);
      const raw = await health.watch("read", ask);
      const entries = raw.map((entry) => decodeEntry(log, entry));
      if (entries.length === 0 || !isChain(after, entries)) return undefined;
      return await this.#resolve(log, entries);
    } catch (err) {
      // What Redis refuses is reported; a stream that cannot be read is replaced by the next restart.
      if (isReady(redis)) logger.debug({ err, log }, "change stream cannot be read; using the database");
      return undefined;
    }
  }

  #verifyOnce(log: number): Promise<void> {
    const running = this.#verifying.get(log) ?? this.#verify(log).finally(() => this.#verifying.delete(log));
    this.#verifying.set(log, running);
    return running;
  }

  /** Looks the stream's last entry up in PostgreSQL; drops the stream when it is not there. */
  async #verify(log: number): Promise<void> {
    const { redis, health, keys, durable, logger } = this.#options;
    const doubts = this.#doubts;
    const ask = (): Promise<readonly RawEntry[]> => redis.xrevrange(keys.events(log), "+", "-", "COUNT", 1);
    const [last] = await health.watch("read", ask);
    if (last !== undefined) {
      const { position } = decodeEntry(log, last);
      try {
        await durable.read(log, position, 1);
      } catch (error) {
        if (!hasReason(error, "LINEAGE_LOST", "COMPACTED")) throw error;
        logger.warn({ log, revision: position.revision }, "change stream is not of this history; dropping it");
        if (error.reason === "LINEAGE_LOST") this.#options.onLineageLost?.();
        await dropStream(redis, keys.events(log), position);
      }
    }
    if (doubts === this.#doubts && isReady(redis)) this.#trusted.add(log);
  }

  /**
   * Fetches what travels by reference. Cut off where PostgreSQL does not have it, as the stream is of another lineage then, and
   * where it is enough: a shorter chain is a chain.
   */
  async #resolve(log: number, entries: readonly StreamEntry[]): Promise<readonly Change[] | undefined> {
    const changes: Change[] = [];
    let fetchedBytes = 0;
    for (const { position, previousFingerprint, change } of entries) {
      if (change === undefined && fetchedBytes >= FETCH_MAX_BYTES) break;
      const resolved = change ?? (await this.#fetch(log, position, previousFingerprint));
      if (resolved === undefined) break;
      if (change === undefined) fetchedBytes += changeSize(resolved);
      changes.push(resolved);
    }
    return changes.length === 0 ? undefined : changes;
  }

  async #fetch(log: number, position: Position, previousFingerprint: bigint): Promise<Change | undefined> {
    const before = { revision: position.revision - 1n, fingerprint: previousFingerprint };
    try {
      const [change] = await this.#options.durable.read(log, before, 1);
      return change?.fingerprint === position.fingerprint ? change : undefined;
    } catch (error) {
      if (hasReason(error, "LINEAGE_LOST", "COMPACTED", "STORE_UNAVAILABLE")) return undefined;
      throw error;
    }
  }
}

function isChain(after: Position, entries: readonly StreamEntry[]): boolean {
  let last = after;
  for (const { position, previousFingerprint } of entries) {
    if (position.revision !== last.revision + 1n || previousFingerprint !== last.fingerprint) return false;
    last = position;
  }
  return true;
}
