import type { Command, MetadataInput } from "../../resource/command.js";
import { DomainError } from "../../resource/errors.js";
import type { ItemOutcome } from "./batch-draft.js";
import { PartitionMissingError } from "./commit-batch.js";
import type { CommitResult } from "./decide-batch.js";
import { isCutOff, isRetryable } from "./driver-errors.js";
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
/** Commands by which the limit grows again with every batch that commits, after one took too long. */
const RECOVERY_ITEMS = 8;
const BATCH_MAX_BYTES = 4 * 1024 * 1024;
/** At the limit a write is refused with RESOURCE_EXHAUSTED instead of waiting longer than its caller would (I9). */
const QUEUE_MAX_ITEMS = 20_000;
const QUEUE_MAX_BYTES = 64 * 1024 * 1024;
/**
 * Answers given in one turn of the event loop. Each costs writing and brings its caller's next request: given all at once, they
 * would keep the replies of PostgreSQL to the next transaction waiting, and PostgreSQL idle with them.
 */
const ANSWERS_PER_TURN = 4;
/** Deadlocks and serialisation failures are tried again this often. */
const MAX_RETRIES = 5;

/**
 * Gathers commands into transactions (2.5): whatever waits for logs that no transaction of this replica holds becomes the next
 * one. So a log is written by one transaction at a time, other logs beside it, and under load one transaction serves all.
 */
export class CommitQueue {
  readonly #options: GroupCommitOptions;
  #queue: QueuedCommand[] = [];
  #queuedBytes = 0;
  /** Logs held by transactions in flight. */
  readonly #busy = new Set<number>();
  readonly #inFlight = new Set<Promise<void>>();
  #isScheduled = false;
  /** Lowered when a batch took too long: small commands may be about large resources. */
  #maxItems = BATCH_MAX_ITEMS;

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
      this.#schedule();
    });
  }

  /** Resolves when nothing is queued or in flight. */
  async drain(): Promise<void> {
    while (this.#inFlight.size > 0 || this.#isScheduled) {
      await (this.#inFlight.size > 0 ? Promise.all(this.#inFlight) : new Promise(setImmediate));
    }
  }

  /** One turn of the event loop later, so that requests which arrived together are committed together. */
  #schedule(): void {
    if (this.#isScheduled || this.#inFlight.size >= this.#options.concurrency) return;
    this.#isScheduled = true;
    setImmediate(() => this.#startAll());
  }

  #startAll(): void {
    this.#isScheduled = false;
    while (this.#inFlight.size < this.#options.concurrency) {
      const batch = this.#take();
      if (batch.length === 0) return;
      this.#start(batch);
    }
  }

  #start(batch: readonly QueuedCommand[]): void {
    const logs = new Set(batch.flatMap((item) => item.logs));
    for (const log of logs) this.#busy.add(log);
    const running = this.#commit(batch).finally(() => {
      for (const log of logs) this.#busy.delete(log);
      this.#inFlight.delete(running);
      // At once, before the answers of this batch are given: what is queued has gathered long enough.
      if (this.#queue.length > 0) this.#startAll();
    });
    this.#inFlight.add(running);
  }

  /** The next batch, in order of arrival. A command that has to wait keeps its logs for itself, or it might wait for ever. */
  #take(): QueuedCommand[] {
    const taken: QueuedCommand[] = [];
    const left: QueuedCommand[] = [];
    const blocked = new Set(this.#busy);
    let bytes = 0;
    for (const item of this.#queue) {
      const isFull = taken.length >= this.#maxItems || (taken.length > 0 && bytes + item.bytes > BATCH_MAX_BYTES);
      if (isFull || item.logs.some((log) => blocked.has(log))) {
        for (const log of item.logs) blocked.add(log);
        left.push(item);
      } else {
        taken.push(item);
        bytes += item.bytes;
      }
    }
    this.#queue = left;
    this.#queuedBytes -= bytes;
    return taken;
  }

  /** Never rejects: every command of the batch gets its outcome. */
  async #commit(batch: readonly QueuedCommand[]): Promise<void> {
    const startedAt = performance.now();
    try {
      const { outcomes, batch: committed } = await this.#tryCommit(batch);
      this.#maxItems = Math.min(BATCH_MAX_ITEMS, this.#maxItems + RECOVERY_ITEMS);
      this.#options.onBatch?.(batch.length, performance.now() - startedAt);
      // Publishing runs beside the next transaction; only the answers wait for it (2.6).
      const answer = () => answerInTurns(batch, outcomes);
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
    if (isCutOff(error)) this.#maxItems = Math.max(1, batch.length >> 1);
    else if (error instanceof DomainError) return refuse(batch, error);
    if (batch.length === 1) return refuse(batch, error);
    const half = batch.length >> 1;
    await this.#commit(batch.slice(0, half));
    await this.#commit(batch.slice(half));
  }
}

function refuse(batch: readonly QueuedCommand[], error: unknown): void {
  for (const { resolve } of batch) resolve({ type: "refused", error });
}

async function answerInTurns(batch: readonly QueuedCommand[], outcomes: readonly ItemOutcome[]): Promise<void> {
  for (const [i, outcome] of outcomes.entries()) {
    if (i > 0 && i % ANSWERS_PER_TURN === 0) await new Promise(setImmediate);
    batch[i]?.resolve(outcome);
  }
}

/** Roughly what a command adds to a batch, in characters, and an allowance for the rest. */
function sizeOf(command: Command): number {
  const allowance = 512;
  switch (command.type) {
    case "create":
    case "update":
    case "apply":
      return allowance + (command.input.specJson?.length ?? 0) + metadataSize(command.input);
    case "update-status":
      return allowance + (command.statusJson?.length ?? 0) + (command.metadata ? metadataSize(command.metadata) : 0);
    case "report": {
      const { statusJson, labels, annotations } = command.report;
      return allowance + (statusJson?.length ?? 0) + entriesSize(labels) + entriesSize(annotations);
    }
    case "delete":
    case "hold":
    case "show-quarantine":
    case "release-quarantine":
    case "collect":
    case "release-owner":
    case "force-finalizer":
      return allowance;
  }
}

function metadataSize({
  labels,
  annotations,
  finalizers,
}: Pick<MetadataInput, "labels" | "annotations" | "finalizers">) {
  return entriesSize(labels) + entriesSize(annotations) + finalizers.reduce((sum, { length }) => sum + length, 0);
}

function entriesSize(entries: ReadonlyMap<string, string | null>): number {
  let size = 0;
  for (const [key, value] of entries) size += key.length + (value?.length ?? 0);
  return size;
}
