import { keyId, type ResourceKey } from "../../resource/key.js";
import { logOf } from "../../resource/log-of.js";

/**
 * Every Redis key and channel of a store. Redis is a projection (2.2): all of it may be deleted at any time.
 *
 * The store's id is in every key, so two stores may share one Redis and a store that was created anew never meets entries
 * of its predecessor (2.4). What one script touches shares a hash tag, so that a Redis Cluster keeps it on one node (2.14).
 */
export class StreamKeys {
  readonly #storeId: string;

  constructor(storeId: string) {
    this.#storeId = storeId;
  }

  /** The stream of a log; entry ids are `<revision>-0`. */
  events(log: number): string {
    return `rt:{${this.#storeId}:${log}}:events`;
  }

  /** What shows whether Redis can be written; never read. */
  probe(): string {
    return `rt:{${this.#storeId}:probe}`;
  }

  /** Pub/sub channel: work became due. */
  due(): string {
    return `rt:${this.#storeId}:due`;
  }

  /** How far the streams of existing operators are, per log: a hash of the states of compat/SPEC.md. */
  compatStates(log: number): string {
    return `rt:{${this.#storeId}:${log}}:compat`;
  }

  /** When to look for unacknowledged entries in each stream of existing operators: a sorted set, by time. */
  compatDue(): string {
    return `rt:${this.#storeId}:compat:due`;
  }

  /** How often each entry of a stream of existing operators was added again: a hash by entry id. No shard's stream is called so. */
  compatRetries(stream: string): string {
    return `rt:${this.#storeId}:compat:retries:${stream}:counts`;
  }

  /** The cache entry of a resource. The parts are encoded so that none can contain the separator. */
  resource(key: ResourceKey): string {
    const parts = [key.resourceGroup, key.kind, key.namespace, key.name];
    return `rt:{${this.#storeId}:c${cacheSlot(key)}}:${parts.map((part) => Buffer.from(part).toString("base64url")).join(":")}`;
  }

  /** A pattern that matches every cache entry of the store, and nothing else. */
  allResources(): string {
    return `rt:{${this.#storeId}:c*}:*`;
  }
}

/** Few enough that what a batch supersedes goes in few scripts, enough to spread over a cluster. */
const CACHE_SLOTS = 4;

/** Which entries share a hash tag. By key, as a reader knows neither the shard nor the log of what it asks for. */
export function cacheSlot(key: ResourceKey): number {
  return logOf(keyId(key), CACHE_SLOTS);
}

/** The id of the entry that carries `revision`. */
export function entryId(revision: bigint): string {
  return `${revision}-0`;
}
