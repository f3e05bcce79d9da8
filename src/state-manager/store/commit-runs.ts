import pLimit from "p-limit";
import type { Command } from "../../resource/command.js";
import { DomainError } from "../../resource/errors.js";
import { sizeOf } from "./command-size.js";
import { BATCH_MAX_BYTES, type CommitQueue, type CommittedRun } from "./commit-queue.js";
import { isCutOff } from "./driver-errors.js";
import { type CommandResult, RunError } from "./store.js";

/** Larger runs are hardly faster, and other writers wait for one of them to end. */
const RUN_MAX_ITEMS = 500;
/** A run that is its caller's whole call is tried this often when PostgreSQL cuts it off: it is never split. */
const MAX_TRIES = 3;
/** A run whose resources keep moving between logs is chased this often. */
const MAX_MOVES = 8;

/** What runs are committed through. */
export interface CommitRunsOptions {
  readonly queue: Pick<CommitQueue, "enqueueRun">;
  /** Runs queued or in flight at most: one more would only stand before the commands of others. */
  readonly concurrency: number;
  /** The log a command writes to, as far as the command tells. */
  readonly logFor: (command: Command) => number;
  /** Throws when nothing more is taken. */
  readonly checkOpen: () => void;
}

/**
 * Commits many commands of one caller as a sequence of runs, a transaction each (`BulkSink`).
 *
 * The next run queues up when the one before has committed, so it stands behind every command that came meanwhile: those wait
 * for one run at most, and callers of many commands take turns with each other.
 */
export class CommitRuns {
  readonly #options: CommitRunsOptions;
  readonly #inTurn: ReturnType<typeof pLimit>;

  constructor(options: CommitRunsOptions) {
    this.#options = options;
    this.#inTurn = pLimit(options.concurrency);
  }

  async *submitAll(commands: readonly Command[]): AsyncGenerator<readonly CommandResult[], void, undefined> {
    const published: Promise<void>[] = [];
    // A call that one run holds is all or nothing; only a larger one, whose runs are the store's choice, is split further.
    const isWhole = fitting(commands, 0, RUN_MAX_ITEMS) === commands.length;
    let maxItems = RUN_MAX_ITEMS;
    let cutOffs = 0;
    try {
      for (let first = 0; first < commands.length; ) {
        const run = commands.slice(first, first + fitting(commands, first, maxItems));
        const committed = await this.#commitUnlessCutOff(run, first);
        if (committed instanceof RunError) {
          const mayGoOn = isWhole ? ++cutOffs < MAX_TRIES : run.length > 1;
          if (!mayGoOn) throw committed;
          if (!isWhole) maxItems = run.length >> 1;
          continue;
        }
        published.push(committed.published);
        first += run.length;
        yield committed.outcomes.flatMap((outcome) => (outcome.type === "done" ? outcome.result : []));
      }
    } finally {
      await Promise.all(published);
    }
  }

  /** Resolves with the error of a run that PostgreSQL cut off because it took too long: it is to be tried again. */
  async #commitUnlessCutOff(run: readonly Command[], first: number): Promise<CommittedRun | RunError> {
    try {
      return await this.#commit(run, first);
    } catch (error) {
      if (error instanceof RunError) throw error;
      const failed = new RunError({ first, count: run.length }, isCutOff(error) ? cutOff(run.length, error) : error);
      if (isCutOff(error)) return failed;
      throw failed;
    }
  }

  async #commit(run: readonly Command[], first: number): Promise<CommittedRun> {
    const { queue, logFor, checkOpen } = this.#options;
    const logs = new Set(run.map(logFor));
    for (let moves = 0; moves <= MAX_MOVES; moves++) {
      checkOpen();
      const committed = await this.#inTurn(() => queue.enqueueRun(run, [...logs]));
      // Where its resources live now only the transaction knows: with their logs too it finds all of them.
      const before = logs.size;
      for (const outcome of committed.outcomes) if (outcome.type === "elsewhere") logs.add(outcome.log);
      if (logs.size > before) continue;
      checkDone(committed, first);
      return committed;
    }
    throw new DomainError("UNAVAILABLE", "OVERLOADED", "resources keep moving between shards; retry");
  }
}

function cutOff(count: number, cause: unknown): DomainError {
  const text = `PostgreSQL cut the transaction of ${count} resources off because it took too long, so none of them is stored; retry, or send fewer at once`;
  return new DomainError("UNAVAILABLE", "STORE_UNAVAILABLE", text, { cause });
}

function checkDone({ outcomes }: CommittedRun, first: number): void {
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.type === "refused")
      throw new RunError({ first, count: outcomes.length, refused: first + index }, outcome.error);
  }
}

/** How many commands from `first` fit one run: one at least. */
function fitting(commands: readonly Command[], first: number, maxItems: number): number {
  const end = Math.min(commands.length, first + maxItems);
  let bytes = 0;
  for (let at = first; at < end; at++) {
    const command = commands[at];
    bytes += command === undefined ? 0 : sizeOf(command);
    if (at > first && bytes > BATCH_MAX_BYTES) return at - first;
  }
  return end - first;
}
