import type { Command } from "../../resource/command.js";
import { DomainError } from "../../resource/errors.js";
import type { ItemOutcome } from "./batch-draft.js";
import { type CommitResult, PartitionMissingError } from "./commit-batch.js";
import { isRetryable } from "./driver-errors.js";
import type { GroupCommitOptions } from "./group-commit.js";

/** A command that waits for its batch. */
export interface QueuedCommand {
  readonly command: Command;
  /** The heads its transaction must hold. */
  readonly logs: readonly number[];
  readonly bytes: number;
  readonly resolve: (outcome: ItemOutcome) => void;
}

/** Larger batches gain nothing measurable and hold the head longer. */
const BATCH_MAX_ITEMS = 256;
const BATCH_MAX_BYTES = 4 * 1024 * 1024;
/** At the limit a write is refused with RESOURCE_EXHAUSTED instead of waiting longer than its caller would (I9). */
const QUEUE_MAX_ITEMS = 20_000;
const QUEUE_MAX_BYTES = 64 * 1024 * 1024;
/** Deadlocks and serialisation failures are tried again this often. */
const MAX_RETRIES = 5;

/** Commits the commands of one log, batch after batch, one transaction at a time. */
export class LogWriter {
  readonly #options: GroupCommitOptions;
  readonly #queue: QueuedCommand[] = [];
  #queuedBytes = 0;
  #running: Promise<void> | undefined;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /** Resolves with the command's outcome after its batch has committed and was handed over. */
  enqueue(command: Command, logs: readonly number[]): Promise<ItemOutcome> {
    const bytes = sizeOf(command);
    if (this.#queue.length >= QUEUE_MAX_ITEMS || this.#queuedBytes + bytes > QUEUE_MAX_BYTES) {
      const text = `${this.#queue.length} writes are waiting already; retry with back-off`;
      throw new DomainError("RESOURCE_EXHAUSTED", "OVERLOADED", text);
    }
    return new Promise((resolve) => {
      this.#queue.push({ command, logs, bytes, resolve });
      this.#queuedBytes += bytes;
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing is queued or in flight. */
  async drain(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // One turn of the event loop, so that requests which arrived together are committed together.
    await new Promise(setImmediate);
    while (this.#queue.length > 0) await this.#commit(this.#take());
    this.#running = undefined;
  }

  #take(): QueuedCommand[] {
    let count = 0;
    let bytes = 0;
    for (const { bytes: size } of this.#queue) {
      if (count > 0 && (count >= BATCH_MAX_ITEMS || bytes + size > BATCH_MAX_BYTES)) break;
      count++;
      bytes += size;
    }
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  /** Never throws: every command of the batch gets its outcome. */
  async #commit(batch: readonly QueuedCommand[]): Promise<void> {
    const startedAt = performance.now();
    try {
      const { outcomes, batch: committed } = await this.#tryCommit(batch);
      this.#options.onBatch?.(batch.length, performance.now() - startedAt);
      const answer = () => {
        for (const [i, outcome] of outcomes.entries()) batch[i]?.resolve(outcome);
      };
      // Publishing runs beside the next transaction; only the answers wait for it (2.6).
      this.#options.onCommitted(committed).then(answer, answer);
    } catch (error) {
      await this.#isolate(batch, error);
    }
  }

  async #tryCommit(batch: readonly QueuedCommand[]): Promise<CommitResult> {
    const commands = batch.map(({ command }) => command);
    const logs = new Set(batch.flatMap((item) => item.logs));
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#options.committer.commit(commands, logs);
      } catch (error) {
        if (attempt > MAX_RETRIES) throw error;
        if (error instanceof PartitionMissingError) await this.#options.ensurePartition(error.bucket);
        else if (!isRetryable(error)) throw error;
      }
    }
  }

  /** Halves a failing batch until the guilty command stands alone; the others are stored. */
  async #isolate(batch: readonly QueuedCommand[], error: unknown): Promise<void> {
    const isDomain = error instanceof DomainError;
    if (batch.length === 1 || isDomain) {
      for (const { resolve } of batch) resolve({ type: "refused", error });
      return;
    }
    const half = batch.length >> 1;
    await this.#commit(batch.slice(0, half));
    await this.#commit(batch.slice(half));
  }
}

/** Roughly what a command adds to a batch: its payloads, and an allowance for the rest. */
function sizeOf(command: Command): number {
  const allowance = 512;
  switch (command.type) {
    case "create":
    case "update":
    case "apply":
      return allowance + (command.input.specJson?.length ?? 0);
    case "update-status":
      return allowance + (command.statusJson?.length ?? 0);
    case "report":
      return allowance + (command.report.statusJson?.length ?? 0);
    case "delete":
    case "hold":
      return allowance;
  }
}
