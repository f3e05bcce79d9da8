import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { Change } from "../../resource/change.js";
import { keyId, type ResourceKey } from "../../resource/key.js";
import type { Resource } from "../../resource/resource.js";
import { LuaScript } from "../log/lua-script.js";
import { cacheSlot, type StreamKeys } from "../log/stream-keys.js";
import { isReady } from "../redis-connection.js";
import type { CacheReader } from "../service/resource-service.js";
import type { ResourceReader } from "../store/store.js";
import { CACHE_FIELDS, type CacheEntry, decodeEntry, encodeFields, entryOf } from "./cache-entry.js";

/**
 * How long an entry lives, in milliseconds. Bounds how old a cached read can be when Redis missed a write (it was away for
 * a moment), and is below the streams' idle time, so that no entry outlives the stream a restore is found by (`purge`).
 */
const TTL_MS = 60_000;
/**
 * Changes of one transaction from which on their resources are only marked as being in PostgreSQL: one call has written them
 * (ApplyResources), and nobody has asked for any yet. Whole entries would be a fifth of what the process spends on the call, and
 * a third of what Redis does. A batch of single writes is hardly ever so large.
 */
const BULK_CHANGES = 257;
/** Writes on their way to Redis; beyond it they are left out and the entries grow old until their TTL (I9). */
const MAX_PENDING_WRITES = 10_000;

/** What a cache works with. */
export interface ResourceCacheOptions {
  readonly redis: Redis;
  readonly keys: StreamKeys;
  readonly reader: ResourceReader;
  readonly logger: Logger;
}

/**
 * The write-through cache behind CACHED reads: one Redis hash per resource key. Commits overwrite older states only, ordered
 * by (id, write count), so it does not matter who writes first, a commit or a reader that missed. A removed resource leaves
 * a tombstone for the same reason. Nothing here delays or fails a write; without Redis every read is a strong one.
 */
export class ResourceCache implements CacheReader {
  readonly #options: ResourceCacheOptions;
  #pendingWrites = 0;
  #purging: Promise<void> | undefined;

  constructor(options: ResourceCacheOptions) {
    this.#options = options;
  }

  /** The cached state, or else PostgreSQL's; null when there is no such resource. */
  async get(key: ResourceKey): Promise<Resource | null> {
    const entry = await this.#read(key);
    if (entry?.state === "live") return entry.resource;
    if (entry?.state === "gone") return null;
    const resource = await this.#options.reader.get(key);
    // A large one is known to be large: writing it again would only renew its age.
    if (resource !== undefined && entry === undefined) void this.#write([entryOf(resource)]);
    return resource ?? null;
  }

  /** Takes over what has just been committed. */
  store(changes: readonly Change[]): void {
    const isBulk = changes.length >= BULK_CHANGES;
    const newest = new Map<string, CacheEntry>();
    for (const { type, resource, movedTo } of changes) {
      // The arrival of a move follows: in this batch, under the same key.
      if (movedTo !== null) continue;
      newest.set(keyId(resource.key), newestEntry(type, resource, isBulk));
    }
    const bySlot = new Map<number, CacheEntry[]>();
    for (const entry of newest.values()) {
      const slot = cacheSlot(entry.resource.key);
      const ofSlot = bySlot.get(slot);
      if (ofSlot === undefined) bySlot.set(slot, [entry]);
      else ofSlot.push(entry);
    }
    for (const entries of bySlot.values()) void this.#write(entries);
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

  async #read(key: ResourceKey): Promise<CacheEntry | undefined> {
    const { redis, keys } = this.#options;
    if (!isReady(redis)) return undefined;
    try {
      const fields = await redis.hmget(keys.resource(key), ...CACHE_FIELDS);
      return fields[0] === null ? undefined : decodeEntry(key, fields);
    } catch {
      return undefined; // Outages are logged by the connection; what cannot be read is a miss.
    }
  }

  /** Writes entries of one slot, so in one script: a command for each would cost more than the writes themselves. */
  async #write(entries: readonly CacheEntry[]): Promise<void> {
    const { redis, keys } = this.#options;
    if (!isReady(redis) || this.#pendingWrites >= MAX_PENDING_WRITES) return;
    this.#pendingWrites += entries.length;
    try {
      const args: (string | number)[] = [TTL_MS];
      for (const entry of entries) {
        const { id, writeCount } = entry.resource;
        args.push(String(id), String(writeCount), entry.state, ...encodeFields(entry));
      }
      await SCRIPT.run(
        redis,
        entries.map(({ resource }) => keys.resource(resource.key)),
        args,
      );
    } catch {
      // Missed: the entries, if any, grow old until their TTL.
    } finally {
      this.#pendingWrites -= entries.length;
    }
  }
}

function newestEntry(type: Change["type"], resource: Resource, isBulk: boolean): CacheEntry {
  if (type === "DELETED") return { state: "gone", resource };
  return isBulk ? { state: "large", resource } : entryOf(resource);
}

/**
 * Replaces entries by newer states. `gone` is newer than the last live state, whose write count it carries. Numbers are
 * compared as Lua's, exact up to 2^53.
 */
const SCRIPT = new LuaScript(`
local function is_newer(known, id, writes)
  if not known[1] then return true end
  local known_id, known_writes = tonumber(known[1]), tonumber(known[2])
  if known_id ~= id then return known_id < id end
  if known_writes ~= writes then return known_writes < writes end
  return known[3] ~= 'gone'
end

for i, key in ipairs(KEYS) do
  local at = 1 + (i - 1) * ${CACHE_FIELDS.length}
  local known = redis.call('HMGET', key, 'id', 'writes', 'state')
  if is_newer(known, tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])) then
    redis.call('HSET', key, ${CACHE_FIELDS.map((name, index) => `'${name}', ARGV[at + ${index + 1}]`).join(", ")})
    redis.call('PEXPIRE', key, ARGV[1])
  end
end
`);
