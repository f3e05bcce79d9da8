import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { Change, Position } from "../../resource/change.js";
import { hasReason } from "../../resource/errors.js";
import { RetryDelay } from "../../shared/retry-delay.js";
import type { DurableChangeLog } from "../log/change-log.js";
import type { UnsettledPage } from "../store/read-unsettled.js";
import { appendCompat, type CompatTarget, MAIN_LANE } from "./append-script.js";
import { type CompatEntry, compatStream, shardOfStream } from "./compat-entry.js";
import { parseState, type StoredState, stateAt, stateListing } from "./compat-state.js";
import { type CompatRun, OfferedChanges, runOf } from "./offered-changes.js";

/** Changes per read of PostgreSQL while catching up. */
const READ_EVENTS = 512;
const RETRY_BASE_MS = 20;
const RETRY_MAX_MS = 1_000;
/** Above every revision. */
const ALL = 2n ** 63n;

/** Walks over the resources that operators have something to do about; `shardId` undefined: of all shards. */
export type ReadUnsettled = (query: {
  readonly log: number;
  readonly shardId: string | undefined;
  readonly afterId: bigint;
}) => Promise<UnsettledPage>;

/** What a lane works with. */
export interface CompatLaneOptions {
  readonly redis: Redis;
  readonly target: CompatTarget;
  readonly log: number;
  /** Undefined: the main lane. */
  readonly stream?: string | undefined;
  readonly durable: DurableChangeLog;
  readonly readUnsettled: ReadUnsettled;
  readonly logger: Logger;
  /** Told how steps went; `entries` written, and why. */
  readonly observer: {
    readonly wrote: (entries: number, reason: "change" | "listing") => void;
    readonly caughtUp: () => void;
    readonly failed: (error: unknown) => void;
  };
}

/** Writes the entries of one log, in order and from the position in Redis on. State machine: SPEC.md, "A lane". */
export class CompatLane {
  readonly #options: CompatLaneOptions;
  readonly #lane: string;
  readonly #offered = new OfferedChanges();
  readonly #retry = new RetryDelay(RETRY_BASE_MS, RETRY_MAX_MS);
  #waiters: { readonly revision: bigint; readonly settle: () => void }[] = [];
  /** The last state known of Redis; undefined: it must be asked. */
  #known: StoredState | undefined;
  /** The highest revision known to be committed. */
  #wanted = 0n;
  /** Whether the position must be found in PostgreSQL: what another replica wrote there may be of a history that is no more. */
  #isDoubted = true;
  /** The stream of this lane is at one with the main lane again, or cannot be written yet. */
  #isOver = false;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: CompatLaneOptions) {
    this.#options = options;
    this.#lane = options.stream ?? MAIN_LANE;
  }

  /** Changes this process has just committed; resolves when their entries are written, or an attempt failed. Never rejects. */
  offer(changes: readonly Change[]): Promise<void> {
    const last = changes.at(-1);
    if (this.#isStopped || last === undefined) return Promise.resolve();
    this.#offered.add(changes);
    return new Promise((settle) => {
      this.#waiters.push({ revision: last.revision, settle });
      if (last.revision > this.#wanted) this.#wanted = last.revision;
      this.#start();
    });
  }

  /** The position is not where it should be, at `revision` or beyond: asks Redis and PostgreSQL. */
  catchUp(revision: bigint): void {
    if (this.#isStopped) return;
    // A step in flight compares what it knows by itself.
    if (this.#running === undefined) this.#known = undefined;
    this.#isDoubted = true;
    this.#isOver = false;
    if (revision > this.#wanted) this.#wanted = revision;
    this.#start();
  }

  /** Redis is back: the next attempt need not wait. */
  retryNow(): void {
    this.#known = undefined;
    this.#retry.cut();
  }

  /** Resolves when nothing is in flight. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#retry.cut();
    await this.#running;
    this.#settle(ALL);
  }

  #start(): void {
    if (this.#isStopped || this.#isDone()) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      // What was offered after the last step.
      this.#start();
    });
  }

  async #run(): Promise<void> {
    while (!this.#isStopped && !this.#isDone()) {
      try {
        await this.#step();
        this.#retry.reset();
      } catch (error) {
        this.#known = undefined;
        this.#options.observer.failed(error);
        // Nobody shall wait for these any longer.
        this.#settle(ALL);
        if (!this.#isStopped) await this.#retry.wait();
      }
      this.#settle(this.#written());
    }
    if (!this.#isStopped) this.#options.observer.caughtUp();
  }

  #isDone(): boolean {
    return this.#written() >= this.#wanted;
  }

  /** Every change up to this revision has its entry; -1 while that is not certain. */
  #written(): bigint {
    if (this.#isOver) return ALL;
    const state = this.#known?.state;
    return state?.type === "at" && !this.#isDoubted ? state.position.revision : -1n;
  }

  #step(): Promise<void> {
    // Without an await, as the script of the usual case shall leave with whatever else this process tells Redis now.
    return this.#known === undefined ? this.#ask() : this.#stepFrom(this.#known);
  }

  async #ask(): Promise<void> {
    const { redis, target } = this.#options;
    this.#isDoubted = true;
    this.#known = parseState((await redis.hget(target.states, this.#lane)) ?? "");
  }

  async #stepFrom({ text, state }: StoredState): Promise<void> {
    switch (state.type) {
      case "lost":
        if (this.#options.stream !== undefined) {
          this.#isOver = true; // Another replica has ended it.
          return;
        }
        return this.#startListing(text, "there is no position in Redis");
      case "listing":
        return this.#list(text, state.head, state.afterId);
      case "at": {
        const run = this.#offered.after(state.position);
        // That they follow it proves the position: the fingerprint of their predecessor is its own.
        if (run !== undefined) this.#isDoubted = false;
        return run === undefined ? this.#read(text, state.position) : this.#write(text, run);
      }
    }
  }

  async #read(text: string, position: Position): Promise<void> {
    const { durable, log } = this.#options;
    this.#isDoubted = false;
    try {
      const run = runOf(await durable.read(log, position, READ_EVENTS));
      if (run !== undefined) return await this.#write(text, run);
      this.#wanted = position.revision;
      if (this.#options.stream !== undefined) await this.#end(text);
    } catch (error) {
      this.#isDoubted = true;
      if (!hasReason(error, "LINEAGE_LOST", "COMPACTED")) throw error;
      await this.#startListing(text, error.reason);
    }
  }

  #write(text: string, { entries, end }: CompatRun): Promise<void> {
    return this.#append(text, stateAt(end), entries, "change");
  }

  /** What followed the position is not known any more: the resources themselves tell what operators have to do. */
  async #startListing(text: string, reason: string): Promise<void> {
    const { durable, log, logger } = this.#options;
    const extent = (await durable.extents())[log];
    if (extent === undefined) throw new Error(`log ${log} has no extent`);
    logger.warn(
      { log, lane: this.#lane, reason, from: text, to: extent.head.revision },
      "announcing every pending resource to existing operators",
    );
    await this.#append(text, stateListing(extent.head, 0n), [], "listing");
  }

  async #list(text: string, head: Position, afterId: bigint): Promise<void> {
    const { readUnsettled, log, stream } = this.#options;
    const shardId = stream === undefined ? undefined : shardOfStream(stream);
    const { resources, lastId } = await readUnsettled({ log, shardId, afterId });
    const entries = resources.map(
      ({ key, shardId }): CompatEntry => ({ stream: compatStream(shardId), key, type: "update" }),
    );
    await this.#append(text, lastId === undefined ? stateAt(head) : stateListing(head, lastId), entries, "listing");
  }

  /** Nothing follows the position of this stream's lane: the main lane takes over. */
  #end(text: string): Promise<void> {
    return this.#append(text, text, [], "change");
  }

  async #append(
    expected: string,
    next: string,
    all: readonly CompatEntry[],
    reason: "change" | "listing",
  ): Promise<void> {
    const { redis, target, stream, observer } = this.#options;
    const entries = stream === undefined ? all : all.filter((entry) => entry.stream === stream);
    const reply = await appendCompat(redis, target, { lane: this.#lane, expected, next, entries });
    switch (reply.type) {
      case "written":
      case "ended":
        this.#known = parseState(next);
        this.#isOver = reply.type === "ended";
        if (entries.length > 0) observer.wrote(entries.length, reason);
        return;
      case "moved":
        this.#known = parseState(reply.state);
        this.#isDoubted = true;
        return;
      case "refused":
        this.#isOver = true;
        return;
    }
  }

  /** Ends the waits for changes up to `revision`. */
  #settle(revision: bigint): void {
    const done = this.#waiters.filter((waiter) => waiter.revision <= revision);
    if (done.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > revision);
    for (const { settle } of done) settle();
  }
}
