import type { Command } from "../../resource/command.js";
import { DomainError } from "../../resource/errors.js";
import type { CommittedBatch } from "../log/change-log.js";
import type { ItemOutcome } from "./batch-draft.js";
import { sizeOf } from "./command-size.js";
import { PartitionMissingError } from "./commit-batch.js";
import type { CommitResult } from "./decide-batch.js";
import { isCutOff, isRetryable } from "./driver-errors.js";
import type { GroupCommitOptions } from "./group-commit.js";

/** A command that waits for its batch. */
interface QueuedCommand {
  readonly isRun: false;
  readonly commands: readonly [Command];
  /** The heads its transaction must hold. */
  readonly logs: readonly number[];
  readonly bytes: number;
  readonly resolve: (outcome: ItemOutcome) => void;
}

/** Commands that wait for a transaction of their own, which writes all of them or none. */
interface QueuedRun {
  readonly isRun: true;
  readonly commands: readonly Command[];
  readonly logs: readonly number[];
  readonly bytes: number;
  readonly resolve: (run: CommittedRun) => void;
  readonly reject: (error: unknown) => void;
}

/** A run whose transaction is over. Unless every outcome is "done" it wrote nothing. */
export interface CommittedRun {
  readonly outcomes: readonly ItemOutcome[];
  /** Settles when its changes are published; never rejects. */
  readonly published: Promise<void>;
}

/** Larger batches gain nothing measurable and hold the head longer. */
const BATCH_MAX_ITEMS = 256;
/** Commands by which the limit grows again with every batch that commits, after one took too long. */
const RECOVERY_ITEMS = 8;
/** Of a batch, and of a run. */
export const BATCH_MAX_BYTES = 4 * 1024 * 1024;
/** At the limit a write is refused with RESOURCE_EXHAUSTED instead of waiting longer than its caller would (I9). */
const QUEUE_MAX_ITEMS = 20_000;
const QUEUE_MAX_BYTES = 64 * 1024 * 1024;
/**
 * Answers given in one turn of the event loop. Each costs writing and brings its caller's next request: given all at once, they
 * would keep the replies of PostgreSQL to the next transaction waiting, and PostgreSQL idle with them. The reports of one call are
 * one answer.
 */
const ANSWERS_PER_TURN = 4;
/** The longest a run that has committed waits for the next transaction to be sent before it is handed over. */
const HAND_OVER_MAX_MS = 20;
/** Deadlocks and serialisation failures are tried again this often. */
const MAX_RETRIES = 5;

/**
 * Gathers commands into transactions (2.5): whatever waits for logs that no transaction of this replica holds becomes the next
 * one. So a log is written by one transaction at a time, other logs beside it, and under load one transaction serves all.
 */
export class CommitQueue {
  readonly #options: GroupCommitOptions;
  #queue: (QueuedCommand | QueuedRun)[] = [];
  #queuedCommands = 0;
  #queuedBytes = 0;
  /** Logs held by transactions in flight. */
  readonly #busy = new Set<number>();
  readonly #inFlight = new Set<Promise<void>>();
  #commandsInFlight = 0;
  #isScheduled = false;
  /** Runs that have committed and are not handed over yet, in that order. */
  #handOvers: (() => void)[] = [];
  /** Lowered when a batch took too long: small commands may be about large resources. */
  #maxItems = BATCH_MAX_ITEMS;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /** Resolves with the command's outcome after its batch has committed and was handed over. */
  enqueue(command: Command, logs: readonly number[]): Promise<ItemOutcome> {
    const bytes = sizeOf(command);
    this.#admit(1, bytes);
    return new Promise((resolve) => this.#add({ isRun: false, commands: [command], logs, bytes, resolve }));
  }

  /**
   * Resolves when the transaction of the run is over, published or not, so that the next one of the same caller can queue up
   * behind what came meanwhile. Rejects when nothing was written for a reason that is no command's; with DEADLINE_EXCEEDED
   * nobody knows.
   */
  enqueueRun(commands: readonly Command[], logs: readonly number[]): Promise<CommittedRun> {
    const bytes = commands.reduce((sum, command) => sum + sizeOf(command), 0);
    this.#admit(commands.length, bytes);
    return new Promise((resolve, reject) => this.#add({ isRun: true, commands, logs, bytes, resolve, reject }));
  }

  /** Resolves when nothing is queued or in flight. */
  async drain(): Promise<void> {
    while (this.#inFlight.size > 0 || this.#isScheduled) {
      await (this.#inFlight.size > 0 ? Promise.all(this.#inFlight) : new Promise(setImmediate));
    }
    this.#handOverAll();
  }

  #admit(commands: number, bytes: number): void {
    if (this.#queuedCommands + commands <= QUEUE_MAX_ITEMS && this.#queuedBytes + bytes <= QUEUE_MAX_BYTES) return;
    const text = `${this.#queuedCommands} writes are waiting already; retry with back-off`;
    throw new DomainError("RESOURCE_EXHAUSTED", "OVERLOADED", text);
  }

  #add(queued: QueuedCommand | QueuedRun): void {
    this.#queue.push(queued);
    this.#queuedCommands += queued.commands.length;
    this.#queuedBytes += queued.bytes;
    // A run has gathered already.
    if (queued.isRun) this.#startAll();
    else this.#schedule();
  }

  /** One turn of the event loop later, so that requests which arrived together are committed together. */
  #schedule(): void {
    if (this.#isScheduled || (this.#inFlight.size >= this.#options.concurrency && !this.#mayFollow())) return;
    this.#isScheduled = true;
    setImmediate(() => this.#startAll());
  }

  #startAll(): void {
    this.#isScheduled = false;
    while (this.#inFlight.size < this.#options.concurrency) {
      if (!this.#startNext(this.#busy)) return;
    }
    if (this.#mayFollow() && this.#options.committer.canFollow(this.#queue.flatMap(({ commands }) => commands))) {
      this.#startNext(NOTHING_BUSY);
    }
  }

  /**
   * Whether as much has gathered as the one transaction in flight carries. Then PostgreSQL need not wait for us between the two: the
   * next is sent behind the first, and finds the log as that leaves it.
   */
  #mayFollow(): boolean {
    const { concurrency, logCount } = this.#options;
    return logCount === 1 && this.#inFlight.size === concurrency && this.#queuedCommands >= this.#commandsInFlight;
  }

  #startNext(busy: ReadonlySet<number>): boolean {
    const batch = this.#take(busy);
    const [first] = batch;
    if (first === undefined) return false;
    const commands = batch.reduce((sum, item) => sum + item.commands.length, 0);
    if (first.isRun) this.#start(first.logs, commands, this.#commitRun(first));
    else this.#start(logsOf(batch), commands, this.#commit(batch.filter((item) => !item.isRun)));
    return true;
  }

  #start(logs: Iterable<number>, commands: number, committing: Promise<void>): void {
    for (const log of logs) this.#busy.add(log);
    this.#commandsInFlight += commands;
    const running = committing.finally(() => {
      for (const log of logs) this.#busy.delete(log);
      this.#commandsInFlight -= commands;
      this.#inFlight.delete(running);
      // At once, before the answers of this batch are given: what is queued has gathered long enough.
      if (this.#queue.length > 0) this.#startAll();
    });
    this.#inFlight.add(running);
  }

  /**
   * The next batch, in order of arrival: commands, or one run alone. What has to wait keeps its logs for itself, or it might
   * wait for ever.
   */
  #take(busy: ReadonlySet<number>): (QueuedCommand | QueuedRun)[] {
    const taken: (QueuedCommand | QueuedRun)[] = [];
    const left: (QueuedCommand | QueuedRun)[] = [];
    const blocked = new Set(busy);
    let bytes = 0;
    for (const item of this.#queue) {
      const isFull =
        taken.length > 0 &&
        (taken.length >= this.#maxItems ||
          bytes + item.bytes > BATCH_MAX_BYTES ||
          item.isRun ||
          taken[0]?.isRun === true);
      if (isFull || item.logs.some((log) => blocked.has(log))) {
        for (const log of item.logs) blocked.add(log);
        left.push(item);
      } else {
        taken.push(item);
        bytes += item.bytes;
        this.#queuedCommands -= item.commands.length;
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
      const commands = batch.flatMap((item) => item.commands);
      const { outcomes, batch: committed } = await this.#tryCommit(commands, logsOf(batch), false);
      this.#maxItems = Math.min(BATCH_MAX_ITEMS, this.#maxItems + RECOVERY_ITEMS);
      this.#options.onBatch?.(batch.length, performance.now() - startedAt);
      // Publishing runs beside the next transaction; only the answers wait for it (2.6).
      const answer = () => answerInTurns(batch, outcomes);
      this.#handOverAll();
      this.#options.onCommitted(committed).then(answer, answer);
    } catch (error) {
      await this.#isolate(batch, error);
    }
  }

  /** Never rejects. A run is not halved: its caller was promised all or nothing. */
  async #commitRun({ commands, logs, resolve, reject }: QueuedRun): Promise<void> {
    const startedAt = performance.now();
    try {
      const { outcomes, batch } = await this.#tryCommit(commands, new Set(logs), true);
      this.#options.onBatch?.(commands.length, performance.now() - startedAt);
      resolve({ outcomes, published: this.#handOverSoon(batch) });
    } catch (error) {
      reject(error);
    }
  }

  /**
   * Handing over a run takes Node about as long as writing one takes PostgreSQL: done when the next is on its way, the two are
   * at work at the same time. Never rejects.
   */
  #handOverSoon(batch: CommittedBatch): Promise<void> {
    return new Promise((resolve) => {
      this.#handOvers.push(() => this.#options.onCommitted(batch).then(resolve, resolve));
      // By then the next run is under way, if there is one.
      setImmediate(() => {
        if (this.#inFlight.size === 0) this.#handOverAll();
        else setTimeout(() => this.#handOverAll(), HAND_OVER_MAX_MS);
      });
    });
  }

  #handOverAll(): void {
    for (const handOver of this.#handOvers.splice(0)) handOver();
  }

  async #tryCommit(commands: readonly Command[], logs: ReadonlySet<number>, isRun: boolean): Promise<CommitResult> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#options.committer.commit(commands, logs, { isRun, onSent: () => this.#handOverAll() });
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

const NOTHING_BUSY: ReadonlySet<number> = new Set();

function logsOf(batch: readonly (QueuedCommand | QueuedRun)[]): Set<number> {
  return new Set(batch.flatMap((item) => item.logs));
}

function refuse(batch: readonly QueuedCommand[], error: unknown): void {
  for (const { resolve } of batch) resolve({ type: "refused", error });
}

async function answerInTurns(batch: readonly QueuedCommand[], outcomes: readonly ItemOutcome[]): Promise<void> {
  let answers = 0;
  for (const [i, outcome] of outcomes.entries()) {
    if (!isSameAnswer(batch[i - 1]?.commands[0], batch[i]?.commands[0]) && ++answers > ANSWERS_PER_TURN) {
      answers = 1;
      await new Promise(setImmediate);
    }
    batch[i]?.resolve(outcome);
  }
}

/** A call hands in all its reports at once. */
function isSameAnswer(a: Command | undefined, b: Command | undefined): boolean {
  return a?.type === "report" && b?.type === "report" && a.session === b.session;
}
