import { createHash } from "node:crypto";
import type { Redis } from "ioredis";

/** A script Redis runs atomically: sent by its hash, and in full when Redis does not know it (any more). */
export class LuaScript {
  readonly #source: string;
  readonly #sha: string;

  constructor(source: string) {
    this.#source = source;
    this.#sha = createHash("sha1").update(source).digest("hex");
  }

  /** Runs it; on a Redis Cluster all `keys` must share a hash tag. */
  async run(redis: Redis, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    try {
      return await redis.evalsha(this.#sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
      return redis.eval(this.#source, keys.length, ...keys, ...args);
    }
  }
}
