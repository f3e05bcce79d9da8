import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { Change } from "../../resource/change.js";
import type { ResourceKey } from "../../resource/key.js";
import type { Resource } from "../../resource/resource.js";
import { LuaScript } from "../log/lua-script.js";
import { cacheSlot, type StreamKeys } from "../log/stream-keys.js";
import { isReady, togetherThisTurn } from "../redis-connection.js";
import { isRefusal, type RedisHealth } from "../redis-health.js";
import type { CacheReader } from "../service/resource-service.js";
import type { ResourceReader } from "../store/store.js";
import { CACHE_FIELDS, decodeEntry, encodeEntry } from "./cache-entry.js";

/**
 * How long an entry lives, in milliseconds. Bounds how old a cached read can be when Redis missed a write (it was away for
 * a moment), and is below the streams' idle time, so that no entry outlives the stream a restore is found by (`purge`).
 */
const TTL_MS = 60_000;
/** Entries on their way to Redis; beyond it they are left out and what is there grows old until its TTL (I9). */
const MAX_PENDING_ENTRIES = 10_000;

/** What a cache works with. */
export interface ResourceCacheOptions {
  readonly redis: Redis;
  readonly health: RedisHealth;
  readonly keys: StreamKeys;
  readonly reader: Pick<ResourceReader, "get">;
  readonly logger: Logger;
}

/**
 * The cache behind CACHED reads: one Redis hash per key that was asked for (ADR 9). Who finds nothing there claims the key before
 * reading PostgreSQL, and leaves there what was read; a commit supersedes what it finds claimed or kept, and is not delayed by it.
 * States are ordered by (id, write count), so it does not matter who comes first. Without Redis every read is a strong one.
 */
export class ResourceCache implements CacheReader {
  readonly #options: ResourceCacheOptions;
  #pendingEntries = 0;
  #purging: Promise<void> | undefined;

  constructor(options: ResourceCacheOptions) {
    this.#options = options;
    const { redis, health, keys } = options;
    // Of no resource: names are never empty.
    const probe = keys.resource({ resourceGroup: "", kind: "", namespace: "", name: "" });
    health.setProbe("cache", async () => {
      await redis.hmget(probe, ...CACHE_FIELDS);
      await CLAIM.run(redis, [probe], []);
    });
  }

  /** The cached state, or else PostgreSQL's; undefined when there is no such resource. */
  async get(key: ResourceKey): Promise<Resource | undefined> {
    const { keys, reader } = this.#options;
    const kept = await this.#read(key);
    if (kept !== undefined) return kept;
    await this.#write(CLAIM, [keys.resource(key)], []);
    const resource = await reader.get(key);
    const entry = resource && encodeEntry(resource);
    if (entry !== undefined) void this.#write(KEEP, [keys.resource(key)], entry);
    return resource;
  }

  /** No state from before these changes is served from now on. */
  supersede(changes: readonly Change[]): void {
    const bySlot = new Map<number, { names: string[]; orders: string[] }>();
    for (const { type, resource, movedTo } of changes) {
      // Before a first write there is nothing; what an earlier life of the key left was superseded by its end. Behind the
      // departure of a move comes its arrival, in this batch.
      if (movedTo !== null || (type === "ADDED" && resource.writeCount === 1n)) continue;
      const { key, id, writeCount } = resource;
      const slot = cacheSlot(key);
      const entries = bySlot.get(slot) ?? { names: [], orders: [] };
      bySlot.set(slot, entries);
      entries.names.push(this.#options.keys.resource(key));
      // A removal carries the write count of the last state, and follows it.
      entries.orders.push(String(id), String(type === "DELETED" ? writeCount + 1n : writeCount));
    }
    for (const { names, orders } of bySlot.values()) void this.#write(SUPERSEDE, names, orders);
  }

  /**
   * Forgets everything: PostgreSQL was restored, and entries of the lost future would pass for newer than the truth. Never
   * rejects, as the TTL does the same a little later; a call during another one is that one.
   */
  purge(): Promise<void> {
    this.#purging ??= this.#purge().finally(() => {
      this.#purging = undefined;
    });
    return this.#purging;
  }

  /** Walks the whole keyspace in small steps. */
  async #purge(): Promise<void> {
    const { redis, keys, logger } = this.#options;
    try {
      let cursor = "0";
      do {
        const [next, found] = await redis.scan(cursor, "MATCH", keys.allResources(), "COUNT", 1_000);
        if (found.length > 0) await redis.unlink(...found);
        cursor = next;
      } while (cursor !== "0");
    } catch (err) {
      logger.warn({ err }, "resource cache cannot be emptied; its entries expire within a minute");
    }
  }

  async #read(key: ResourceKey): Promise<Resource | undefined> {
    const { redis, health, keys } = this.#options;
    // A Redis that refuses writes keeps states that it should have been told are superseded.
    if (!isReady(redis) || health.isFailing("append", "cache")) return undefined;
    try {
      const reading = togetherThisTurn(redis, () => redis.hmget(keys.resource(key), ...CACHE_FIELDS));
      return decodeEntry(key, await reading);
    } catch (error) {
      this.#reportRefusal(error);
      return undefined; // What cannot be read is a miss.
    }
  }

  /** Runs a script on entries of one slot. Never rejects: what Redis misses grows old until its TTL. */
  async #write(script: LuaScript, names: readonly string[], args: readonly string[]): Promise<void> {
    const { redis, health } = this.#options;
    if (!isReady(redis) || this.#pendingEntries >= MAX_PENDING_ENTRIES) return;
    this.#pendingEntries += names.length;
    try {
      await script.run(redis, names, args);
      health.report("cache");
    } catch (error) {
      this.#reportRefusal(error);
    } finally {
      this.#pendingEntries -= names.length;
    }
  }

  /** An entry that this cache did not write is no fault of Redis. A read that succeeds proves nothing: it is the writes that count. */
  #reportRefusal(error: unknown): void {
    if (isRefusal(error)) this.#options.health.report("cache", error);
  }
}

/** How the known entry (id, writes, ...) stands to a state: below, at or above 0. Lua's numbers are exact up to 2^53. */
const ORDER = `
local function order(known, id, writes)
  local by_id = tonumber(known[1]) - tonumber(id)
  if by_id ~= 0 then return by_id end
  return tonumber(known[2]) - tonumber(writes)
end
`;

/** Makes a place for what will be read: whatever is committed from now on finds it. Keeps a state that is there. */
const CLAIM = new LuaScript(`
if redis.call('HEXISTS', KEYS[1], 'meta') == 1 then return end
redis.call('HSETNX', KEYS[1], 'id', 0)
redis.call('HSETNX', KEYS[1], 'writes', 0)
redis.call('PEXPIRE', KEYS[1], ${TTL_MS})
`);

/** Keeps a state that was read, in the place that was made for it, unless a newer one is known there. */
const KEEP = new LuaScript(`${ORDER}
local known = redis.call('HMGET', KEYS[1], 'id', 'writes', 'meta')
if not known[1] then return end
local difference = order(known, ARGV[1], ARGV[2])
if difference < 0 or (difference == 0 and not known[3]) then
  redis.call('HSET', KEYS[1], ${CACHE_FIELDS.map((name, at) => `'${name}', ARGV[${at + 1}]`).join(", ")})
  redis.call('PEXPIRE', KEYS[1], ${TTL_MS})
end
`);

/** Takes away what is older than the states given as id and writes in turn, and lets nothing older be kept. */
const SUPERSEDE = new LuaScript(`${ORDER}
for i, key in ipairs(KEYS) do
  local known = redis.call('HMGET', key, 'id', 'writes')
  local id, writes = ARGV[2 * i - 1], ARGV[2 * i]
  if known[1] and order(known, id, writes) < 0 then
    redis.call('HDEL', key, 'meta', 'spec', 'status')
    redis.call('HSET', key, 'id', id, 'writes', writes)
  end
end
`);
