import type { Redis } from "ioredis";
import type { Change, Position } from "../../resource/change.js";
import { hasReason } from "../../resource/errors.js";
import type { DurableChangeLog } from "./change-log.js";
import { type PublishTarget, publish } from "./publish-script.js";

/** A stream further behind than this starts again instead of being filled: readers find the rest in PostgreSQL. */
const MAX_FILL = 1_000;
/** Other replicas write the same stream; each round can find it changed again. */
const MAX_ROUNDS = 8;

/** What an append came to. */
export interface AppendResult {
  readonly outcome: "appended" | "filled" | "restarted" | "already";
  /** Entries written. */
  readonly count: number;
}

/** Appends runs of changes to the stream of one log and repairs it on the way (2.6). */
export class LogAppender {
  readonly #redis: Redis;
  readonly #durable: DurableChangeLog;
  readonly #log: number;
  readonly #target: PublishTarget;

  constructor(options: { redis: Redis; durable: DurableChangeLog; log: number; target: PublishTarget }) {
    this.#redis = options.redis;
    this.#durable = options.durable;
    this.#log = options.log;
    this.#target = options.target;
  }

  /** Rejects when Redis, or PostgreSQL where it is needed, does not answer; the stream is in order even then. */
  async append(run: readonly Change[]): Promise<AppendResult> {
    let changes = run;
    let restartAfter: Position | undefined;
    let count = 0;
    let isFilled = false;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const reply = await publish(this.#redis, this.#target, changes, restartAfter);
      restartAfter = undefined;
      switch (reply.type) {
        case "appended":
        case "restarted":
        case "already":
          count += reply.type === "already" ? 0 : reply.count;
          if (changes.at(-1) === run.at(-1)) return { outcome: isFilled ? "filled" : reply.type, count };
          changes = run;
          break;
        case "unverifiable":
          if ((await this.#read(reply.last, 1)) !== undefined) return { outcome: "already", count };
          restartAfter = reply.last;
          break;
        case "behind": {
          const missing = await this.#missing(reply.last, run);
          if (missing === undefined) restartAfter = reply.last;
          else isFilled = true;
          changes = missing ?? run;
          break;
        }
      }
    }
    throw new Error(`the stream of log ${this.#log} changed ${MAX_ROUNDS} times while appending to it`);
  }

  /** Whether PostgreSQL still has `run`: one that waited through an outage may be of a history that was replaced since. */
  async isInHistory(run: readonly Change[]): Promise<boolean> {
    const last = run.at(-1);
    return last === undefined || (await this.#read(last, 1)) !== undefined;
  }

  /**
   * What follows the stream's last entry: all changes up to the end of `run`, or fewer when they are large. Undefined when
   * they are too many, compacted, or the entry is of another lineage.
   */
  async #missing(last: Position, run: readonly Change[]): Promise<readonly Change[] | undefined> {
    const first = run[0];
    if (first === undefined) return undefined;
    const count = Number(first.revision - last.revision - 1n);
    if (count > MAX_FILL) return undefined;
    const missing = await this.#read(last, count);
    if (missing === undefined || missing.length === 0) return undefined;
    // A batch shares one fingerprint: only together with the number it proves that `run` comes next.
    const isWhole = missing.length === count && missing.at(-1)?.fingerprint === first.previousFingerprint;
    return isWhole ? [...missing, ...run] : missing;
  }

  async #read(after: Position, limit: number): Promise<readonly Change[] | undefined> {
    try {
      return await this.#durable.read(this.#log, after, limit);
    } catch (error) {
      if (hasReason(error, "LINEAGE_LOST", "COMPACTED")) return undefined;
      throw error;
    }
  }
}
