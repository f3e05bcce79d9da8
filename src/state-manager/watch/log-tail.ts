import type { Logger } from "pino";
import type { Change, Position } from "../../resource/change.js";
import { hasReason } from "../../resource/errors.js";
import { RetryDelay } from "../../shared/retry-delay.js";
import type { DurableChangeLog } from "../log/change-log.js";
import type { RedisChangeLog } from "../log/redis-change-log.js";
import type { Metrics } from "../observability/metrics.js";
import { RingBuffer, type RingLimits, type RingRead } from "./ring-buffer.js";

/** Changes per read while catching up. */
const READ_EVENTS = 512;
/** How long a gap may wait to be closed by Redis, which usually has the missing change a moment later. */
const GAP_GRACE_MS = 10;
/** A head that cannot be reached was taken back by yet another restore; the next poll finds out. */
const SETTLE_ROUNDS = 4;
const RETRY_BASE_MS = 10;
const RETRY_MAX_MS = 1_000;

/** What the tail of one log works with. */
export interface LogTailOptions {
  readonly log: number;
  readonly head: Position;
  readonly limits: RingLimits;
  readonly durable: DurableChangeLog;
  readonly redis: RedisChangeLog | undefined;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Called right before a change becomes the head. */
  readonly onAppend?: ((change: Change) => void) | undefined;
  /** Called right before the head is replaced. */
  readonly onReset?: (() => void) | undefined;
  /** Called after the ring grew or was reset. */
  readonly onAdvance: () => void;
  /** Called when a poll of PostgreSQL found what the stream did not bring: another replica cannot write it, or to another Redis. */
  readonly onMissed?: (() => void) | undefined;
  /** Called when PostgreSQL no longer has this log's history. */
  readonly onLineageLost?: (() => void) | undefined;
}

/** The newest changes of one log, in this process. State machine: SPEC.md, "The tail of one log". */
export class LogTail {
  readonly #options: LogTailOptions;
  readonly #ring: RingBuffer;
  readonly #retry = new RetryDelay(RETRY_BASE_MS, RETRY_MAX_MS);
  /** The highest revision known to be committed. */
  #wanted: bigint;
  /** The highest revision that a poll of PostgreSQL told of, and the highest that the stream did. */
  #polled: bigint;
  #knocked: bigint;
  #isDoubted = false;
  /** Counts reasons to look into the log; a read that began before the last one does not answer it. */
  #signals = 0;
  /** The head PostgreSQL last told of: a change at its revision must be that one. */
  #expected: Position;
  #epoch = 0;
  #catchingUp: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: LogTailOptions) {
    this.#options = options;
    this.#ring = new RingBuffer(options.head, options.limits);
    this.#wanted = options.head.revision;
    this.#polled = options.head.revision;
    this.#knocked = options.head.revision;
    this.#expected = options.head;
  }

  get head(): Position {
    return this.#ring.head;
  }

  /** Raised by every reset: positions ahead of `head` must then be checked in PostgreSQL (W4). */
  get epoch(): number {
    return this.#epoch;
  }

  /** What the ring holds for a watcher at `after`. */
  read(after: Position, limit: number): RingRead {
    return this.#ring.read(after, limit);
  }

  /** Changes this process has committed. A gap before them is closed from Redis or PostgreSQL. */
  offer(changes: readonly Change[]): void {
    if (!this.#isStopped) this.#take(changes, "memory");
  }

  /** Somebody says that `revision` is committed; resolves with whether it, or more, was found to be. */
  async knock(revision: bigint): Promise<boolean> {
    if (revision > this.#knocked) this.#knocked = revision;
    this.#want(revision);
    await this.#catchingUp;
    return this.head.revision >= revision;
  }

  /** Compares with the log's head in PostgreSQL; `before` is this tail's head from before that was asked (W5). */
  observe(durableHead: Position, before: Position): void {
    if (durableHead.revision > this.#expected.revision) this.#expected = durableHead;
    this.#polled = durableHead.revision;
    const known = this.#ring.fingerprintAt(durableHead.revision);
    const isContradicted = known !== undefined && known !== durableHead.fingerprint;
    if (durableHead.revision < before.revision || isContradicted) this.#doubt();
    else this.#want(durableHead.revision);
  }

  /** Resolves when the ring has reached `durableHead`, just observed, and nothing contradicts it. */
  async settle(durableHead: Position): Promise<void> {
    const epoch = this.#epoch;
    const isBefore = () => this.head.revision < durableHead.revision && this.#epoch === epoch;
    for (let round = 0; round < SETTLE_ROUNDS && (this.#isDoubted || isBefore()); round++) {
      this.#want(durableHead.revision);
      await this.#catchingUp;
    }
  }

  /** Ends it; resolves when nothing is in flight. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#retry.cut();
    await this.#catchingUp;
  }

  #take(changes: readonly Change[], source: "memory" | "redis" | "postgres"): void {
    let taken = 0;
    const { revision: before } = this.head;
    // PostgreSQL itself cannot contradict what it told of earlier: if it seems to, it was restored since.
    if (source === "postgres") this.#expected = this.head;
    for (const change of changes) {
      const { revision, fingerprint } = this.head;
      if (change.revision > revision + 1n) {
        this.#want(changes.at(-1)?.revision ?? change.revision);
        break;
      }
      if (this.#isContradicted(change, change.revision > revision ? fingerprint : undefined)) {
        this.#doubt();
        break;
      }
      if (change.revision <= revision) continue;
      this.#options.onAppend?.(change);
      this.#ring.append(change);
      taken += 1;
    }
    if (taken === 0) return;
    if (this.head.revision > this.#wanted) this.#wanted = this.head.revision;
    const isMissed = source === "postgres" && before >= this.#knocked && before < this.#polled;
    if (isMissed && this.#options.redis !== undefined) this.#options.onMissed?.();
    this.#options.metrics.watchTailEvents.inc({ source }, taken);
    this.#options.onAdvance();
  }

  /** Whether `change` is of another lineage than the ring, its predecessor or PostgreSQL's head. */
  #isContradicted(change: Change, predecessor: bigint | undefined): boolean {
    if (predecessor !== undefined && change.previousFingerprint !== predecessor) return true;
    if (change.revision === this.#expected.revision && change.fingerprint !== this.#expected.fingerprint) return true;
    const known = this.#ring.fingerprintAt(change.revision);
    return known !== undefined && known !== change.fingerprint;
  }

  #want(revision: bigint): void {
    this.#signals += 1;
    if (revision > this.#wanted) this.#wanted = revision;
    this.#startCatchingUp();
  }

  #doubt(): void {
    this.#signals += 1;
    this.#isDoubted = true;
    this.#startCatchingUp();
  }

  #startCatchingUp(): void {
    if (this.#isStopped || !this.#isBehind()) return;
    this.#catchingUp ??= this.#catchUp().finally(() => {
      this.#catchingUp = undefined;
      this.#startCatchingUp();
    });
  }

  #isBehind(): boolean {
    return this.#isDoubted || this.#wanted > this.head.revision;
  }

  /** Never rejects: what fails is tried again until the tail stops. */
  async #catchUp(): Promise<void> {
    while (!this.#isStopped && this.#isBehind()) {
      try {
        await this.#readOnce();
        this.#retry.reset();
      } catch (err) {
        this.#options.logger.debug({ err, log: this.#options.log }, "change log cannot be read; trying again");
        await this.#retry.wait();
      }
    }
  }

  async #readOnce(): Promise<void> {
    const { log, durable } = this.#options;
    if (!this.#isDoubted && (await this.#readRedis())) return;
    if (await this.#jumpAhead()) return;
    const before = this.#signals;
    try {
      const changes = await durable.read(log, this.head, READ_EVENTS);
      if (before === this.#signals) {
        // PostgreSQL knows the head: whatever contradicted it is not in the history.
        this.#isDoubted = false;
        // And nothing follows it: what was wanted is not committed, or not any more.
        if (changes.length === 0) this.#wanted = this.head.revision;
      }
      this.#take(changes, "postgres");
    } catch (error) {
      if (!hasReason(error, "LINEAGE_LOST", "COMPACTED")) throw error;
      const signals = this.#signals;
      this.#reset(error.reason, await this.#durableHead(), signals);
    }
  }

  /** Whether Redis brought the tail forward. */
  async #readRedis(): Promise<boolean> {
    const { log, redis } = this.#options;
    if (redis === undefined) return false;
    for (let attempt = 0; attempt < 2; attempt++) {
      const before = this.head.revision;
      const changes = await redis.read(log, this.head, READ_EVENTS);
      if (changes !== undefined) this.#take(changes, "redis");
      if (this.head.revision > before || !this.#isBehind()) return true;
      if (attempt === 0) await new Promise((resolve) => setTimeout(resolve, GAP_GRACE_MS));
    }
    return !this.#isBehind();
  }

  /** Skips what would not fit the ring anyway: watchers that need it read it themselves. */
  async #jumpAhead(): Promise<boolean> {
    const maxEvents = BigInt(this.#options.limits.maxEvents);
    if (this.#wanted - this.head.revision <= maxEvents) return false;
    const signals = this.#signals;
    const head = await this.#durableHead();
    if (head.revision - this.head.revision <= maxEvents) return false;
    this.#reset("TOO_FAR_BEHIND", head, signals);
    return true;
  }

  async #durableHead(): Promise<Position> {
    const { log, durable } = this.#options;
    const extent = (await durable.extents())[log];
    if (extent === undefined) throw new Error(`log ${log} has no extent`);
    return extent.head;
  }

  /** `signals`: their count from before `head` was asked for. */
  #reset(reason: string, head: Position, signals: number): void {
    const { log, redis, logger, onLineageLost, onReset } = this.#options;
    logger.warn(
      { log, reason, from: this.head.revision, to: head.revision },
      "tail starts again at the head of the log",
    );
    redis?.distrust(log);
    if (reason === "LINEAGE_LOST") onLineageLost?.();
    onReset?.();
    this.#ring.reset(head);
    this.#expected = head;
    this.#wanted = head.revision;
    // What was signalled while asking may be newer than the answer.
    this.#isDoubted = signals !== this.#signals;
    this.#epoch += 1;
    this.#options.onAdvance();
  }
}
