import type { ResourceKey } from "../../resource/key.js";

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

  /** Pub/sub channel: work became due. */
  due(): string {
    return `rt:${this.#storeId}:due`;
  }

  /**
   * The cache entry of a resource. No hash tag: its script touches this key only, and a reader does not know the log. The
   * parts are encoded so that none can contain the separator.
   */
  resource({ resourceGroup, kind, namespace, name }: ResourceKey): string {
    const parts = [resourceGroup, kind, namespace, name].map((part) => Buffer.from(part).toString("base64url"));
    return `rt:${this.#storeId}:resource:${parts.join(":")}`;
  }

  /** A pattern that matches every cache entry of the store. */
  allResources(): string {
    return `rt:${this.#storeId}:resource:*`;
  }
}

/** The id of the entry that carries `revision`. */
export function entryId(revision: bigint): string {
  return `${revision}-0`;
}
