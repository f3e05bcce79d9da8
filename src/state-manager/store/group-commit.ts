import type { Command } from "../../resource/command.js";
import { keyOf } from "../../resource/decide.js";
import { DomainError } from "../../resource/errors.js";
import { keyId } from "../../resource/key.js";
import { logOf } from "../../resource/log-of.js";
import type { Resource } from "../../resource/resource.js";
import type { CommittedBatch } from "../log/change-log.js";
import type { BatchCommitter } from "./commit-batch.js";
import { CommitQueue } from "./commit-queue.js";
import { CommitRuns } from "./commit-runs.js";
import type { BulkSink, CommandResult } from "./store.js";

/** What the group commit needs and who it tells. */
export interface GroupCommitOptions {
  readonly committer: BatchCommitter;
  readonly logCount: number;
  /** Transactions in flight at most. */
  readonly concurrency: number;
  /** Makes missing partitions. */
  readonly ensurePartition: (bucket: number) => Promise<void>;
  /** Where a key lives now; needed only with several logs. */
  readonly findResource: (key: Resource["key"]) => Promise<Resource | undefined>;
  /** Called after every commit, in log order; callers are answered when it settles. Must settle in bounded time. */
  readonly onCommitted: (batch: CommittedBatch) => Promise<void>;
  /** Told about every batch: items, and milliseconds from its start to its commit. */
  readonly onBatch?: ((items: number, durationMs: number) => void) | undefined;
}

/** A resource that keeps moving between logs is chased this often. */
const MAX_MOVES = 8;

/** The write side of the store (2.5): finds the logs a command needs to hold, and chases a resource that moved meanwhile. */
export class GroupCommit implements BulkSink {
  readonly #options: GroupCommitOptions;
  readonly #queue: CommitQueue;
  readonly #runs: CommitRuns;
  #isClosed = false;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#queue = new CommitQueue(options);
    const { logCount, concurrency } = options;
    this.#runs = new CommitRuns({
      queue: this.#queue,
      concurrency,
      logFor: (command) => logOf(targetShard(command) ?? keyId(keyOf(command)), logCount),
      checkOpen: () => this.#checkOpen(),
    });
  }

  async submit(command: Command): Promise<CommandResult> {
    this.#checkOpen();
    let current = await this.#currentLog(command);
    for (let moves = 0; moves <= MAX_MOVES; moves++) {
      const outcome = await this.#queue.enqueue(command, this.#logsFor(command, current));
      switch (outcome.type) {
        case "done":
          return outcome.result;
        case "refused":
          throw outcome.error;
        case "elsewhere":
          current = outcome.log;
      }
    }
    throw new DomainError("UNAVAILABLE", "OVERLOADED", "the resource keeps moving between shards; retry");
  }

  submitAll(commands: readonly Command[]): AsyncGenerator<readonly CommandResult[], void, undefined> {
    return this.#runs.submitAll(commands);
  }

  /** Takes nothing more and waits for what was taken. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#queue.drain();
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new DomainError(
      "UNAVAILABLE",
      "SHUTTING_DOWN",
      "the server is shutting down; retry, another replica will answer",
    );
  }

  /** The log to lock: the one the resource is in, or the one it will be in. */
  async #currentLog(command: Command): Promise<number> {
    const { logCount, findResource } = this.#options;
    if (logCount === 1) return 0;
    if (command.type === "create") return logOf(command.input.shardId, logCount);
    const existing = await findResource(keyOf(command));
    return logOf(existing?.shardId ?? targetShard(command) ?? keyId(keyOf(command)), logCount);
  }

  #logsFor(command: Command, current: number): readonly number[] {
    const target = targetShard(command);
    if (target === undefined) return [current];
    const next = logOf(target, this.#options.logCount);
    return next === current ? [current] : [current, next];
  }
}

/** The shard a command leaves the resource in, when the command says. */
function targetShard(command: Command): string | undefined {
  switch (command.type) {
    case "create":
    case "update":
    case "apply":
      return command.input.shardId;
    case "update-status":
      return command.metadata?.shardId;
    case "delete":
    case "report":
    case "hold":
    case "show-quarantine":
    case "release-quarantine":
    case "collect":
    case "release-owner":
    case "force-finalizer":
      return undefined;
  }
}
