import type { Redis } from "ioredis";
import { RetryDelay } from "../../shared/retry-delay.js";
import { revisionOf } from "../log/stream-entry.js";
import { entryId, type StreamKeys } from "../log/stream-keys.js";
import { isReady } from "../redis-connection.js";
import type { LogTail } from "./log-tail.js";

/** How long one XREAD blocks; also how soon a silent Redis is noticed. */
export const FOLLOW_BLOCK_MS = 1_000;
/** An entry PostgreSQL does not confirm stays in the stream; it must not be asked about in a circle. */
const UNCONFIRMED_PAUSE_MS = 1_000;

/** What a follower works with. */
export interface LogFollowerOptions {
  readonly log: number;
  readonly tail: LogTail;
  readonly keys: StreamKeys;
  /** This follower's alone: its commands block. */
  readonly redis: Redis;
  /** Told when the stream was read, and why when it cannot be. */
  readonly onHealth: (isHealthy: boolean, error?: unknown) => void;
  /** Told when the stream brought a change. */
  readonly onEntry: () => void;
}

/**
 * Blocks on the stream of one log and knocks at its tail. It reads one entry only, as a signal: this process's own commits
 * come back here too, and are not worth decoding twice.
 */
export class LogFollower {
  readonly #options: LogFollowerOptions;
  readonly #retry = new RetryDelay(20, 1_000);
  readonly #pause = new RetryDelay(UNCONFIRMED_PAUSE_MS, UNCONFIRMED_PAUSE_MS);
  readonly #running: Promise<void>;
  #isStopped = false;

  constructor(options: LogFollowerOptions) {
    this.#options = options;
    options.redis.on("ready", this.#onReady);
    options.redis.on("close", this.#onClose);
    this.#running = this.#run();
  }

  /** Disconnects; resolves when the loop has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const { redis } = this.#options;
    redis.off("ready", this.#onReady);
    redis.off("close", this.#onClose);
    redis.disconnect();
    this.#retry.cut();
    this.#pause.cut();
    await this.#running;
  }

  readonly #onReady = (): void => this.#retry.cut();
  readonly #onClose = (): void => this.#options.onHealth(false);

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        const revision = await this.#waitForEntry();
        this.#retry.reset();
        this.#options.onHealth(true);
        if (revision !== undefined) this.#options.onEntry();
        if (revision !== undefined && !(await this.#options.tail.knock(revision))) await this.#pause.wait();
      } catch (error) {
        // Reported; the safety poll replaces the stream meanwhile.
        this.#options.onHealth(false, error);
        if (!this.#isStopped) await this.#retry.wait();
      }
    }
  }

  /** The revision of the next entry after the tail's head; undefined when none came in time. */
  async #waitForEntry(): Promise<bigint | undefined> {
    const { redis, keys, log, tail } = this.#options;
    if (!isReady(redis)) throw new Error("not connected");
    const id = entryId(tail.head.revision);
    const reply = await redis.xread("COUNT", 1, "BLOCK", FOLLOW_BLOCK_MS, "STREAMS", keys.events(log), id);
    const newest = reply?.[0]?.[1][0]?.[0];
    return newest === undefined ? undefined : revisionOf(newest);
  }
}
