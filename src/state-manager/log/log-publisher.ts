import type { Change } from "../../resource/change.js";
import { RetryDelay } from "../../shared/retry-delay.js";
import { changeSize } from "./change-size.js";
import type { AppendResult, LogAppender } from "./log-appender.js";

/** One script run carries at most this much: Redis serves nobody else meanwhile. */
const MAX_RUN_EVENTS = 512;
const MAX_RUN_BYTES = 4 * 1024 * 1024;
/** Beyond this the oldest batches are forgotten; the next append finds the stream behind and fills it (I9). */
const MAX_QUEUED_EVENTS = 4_096;
const MAX_QUEUED_BYTES = 32 * 1024 * 1024;
const RETRY_BASE_MS = 20;
const RETRY_MAX_MS = 1_000;

interface QueuedBatch {
  readonly changes: readonly Change[];
  readonly bytes: number;
  /** Tells the writer that waiting any longer is pointless. */
  readonly settle: () => void;
}

/** Told how appends went. */
export interface AppendObserver {
  appended(result: AppendResult): void;
  failed(error: unknown): void;
}

/** Publishes the batches of one log one after the other; what arrives meanwhile goes together. */
export class LogPublisher {
  readonly #appender: Pick<LogAppender, "append" | "isInHistory">;
  readonly #observer: AppendObserver;
  readonly #retry = new RetryDelay(RETRY_BASE_MS, RETRY_MAX_MS);
  #queue: QueuedBatch[] = [];
  #queuedEvents = 0;
  #queuedBytes = 0;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(appender: Pick<LogAppender, "append" | "isInHistory">, observer: AppendObserver) {
    this.#appender = appender;
    this.#observer = observer;
  }

  /** Resolves when the batch is published, or an attempt failed, or it was forgotten; never rejects. */
  submit(changes: readonly Change[]): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    return new Promise((settle) => {
      const bytes = changes.reduce((sum, change) => sum + changeSize(change), 0);
      this.#queue.push({ changes, bytes, settle });
      this.#queuedEvents += changes.length;
      this.#queuedBytes += bytes;
      this.#forgetOldest();
      this.#running ??= this.#drain();
    });
  }

  /** Redis is back: the next attempt need not wait. */
  retryNow(): void {
    this.#retry.cut();
  }

  /** Forgets what is queued; resolves when the append in flight has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const batch of this.#remove(this.#queue.length)) batch.settle();
    this.#retry.cut();
    await this.#running;
  }

  async #drain(): Promise<void> {
    let isOverdue = false;
    while (this.#queue.length > 0) {
      const batches = this.#takeRun();
      const run = batches.flatMap(({ changes }) => changes);
      let isDone = false;
      try {
        // What waited through an outage may be of a history that a restore has replaced meanwhile.
        if (!isOverdue || (await this.#appender.isInHistory(run))) {
          this.#observer.appended(await this.#appender.append(run));
        }
        isDone = true;
        this.#retry.reset();
      } catch (error) {
        this.#observer.failed(error);
      }
      // Published or not, nobody shall wait for these any longer.
      for (const batch of batches) batch.settle();
      if (isDone || this.#isStopped) continue;
      this.#putBack(batches);
      isOverdue = true;
      await this.#retry.wait();
    }
    // In the turn that found the queue empty: what is submitted by those just settled begins another run.
    this.#running = undefined;
  }

  /** Batches from the queue's front that follow each other; another replica's commits may lie between two of ours. */
  #takeRun(): readonly QueuedBatch[] {
    let count = 0;
    let events = 0;
    let bytes = 0;
    let last: Change | undefined;
    for (const batch of this.#queue) {
      const first = batch.changes[0];
      const isNext =
        last === undefined ||
        (first?.revision === last.revision + 1n && first.previousFingerprint === last.fingerprint);
      events += batch.changes.length;
      bytes += batch.bytes;
      if (count > 0 && (!isNext || events > MAX_RUN_EVENTS || bytes > MAX_RUN_BYTES)) break;
      last = batch.changes.at(-1);
      count += 1;
    }
    return this.#remove(count);
  }

  #putBack(batches: readonly QueuedBatch[]): void {
    this.#queue.unshift(...batches);
    for (const { changes, bytes } of batches) {
      this.#queuedEvents += changes.length;
      this.#queuedBytes += bytes;
    }
    this.#forgetOldest();
  }

  /** The newest batch stays in any case: it makes the stream whole by finding it "behind". */
  #forgetOldest(): void {
    while (this.#queue.length > 1 && (this.#queuedEvents > MAX_QUEUED_EVENTS || this.#queuedBytes > MAX_QUEUED_BYTES)) {
      for (const batch of this.#remove(1)) batch.settle();
    }
  }

  #remove(count: number): readonly QueuedBatch[] {
    const batches = this.#queue.splice(0, count);
    for (const { changes, bytes } of batches) {
      this.#queuedEvents -= changes.length;
      this.#queuedBytes -= bytes;
    }
    return batches;
  }
}
