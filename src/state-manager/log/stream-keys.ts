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
}

/** The id of the entry that carries `revision`. */
export function entryId(revision: bigint): string {
  return `${revision}-0`;
}
