import { setTimeout as delay } from "node:timers/promises";
import type { Change } from "../../resource/change.js";
import type { Command } from "../../resource/command.js";
import { keyOf } from "../../resource/decide.js";
import { DomainError } from "../../resource/errors.js";
import { keyId } from "../../resource/key.js";
import { BEGIN, type BoundStatement, COMMIT, type Connection, type Database, rollBack } from "./database.js";
import { type CommitResult, type DecidedBatch, decideBatch } from "./decide-batch.js";
import { constraintOf, isFromServer, isPartitionMissing, mayFollowCommit, sqlState } from "./driver-errors.js";
import { type DecidedAtTip, idsAhead, idsOf, LogTip, ONLY_LOG, randomFingerprint } from "./log-tip.js";
import { OrderedConnection } from "./ordered-connection.js";
import { readOwners, wishedOwners } from "./read-owners.js";
import { readStates } from "./read-states.js";
import {
  type FoundRow,
  findFingerprint,
  type LogEndRequest,
  type LogEndRow,
  lockHeads,
  type Miss,
  readLogEnds,
} from "./statements/events.js";
import type { CommitStamp } from "./write-draft.js";

/** How commands are committed. */
interface CommitOptions {
  /** Written as a whole or not at all. */
  readonly isRun?: boolean | undefined;
  /** Called when PostgreSQL has got all it has to write, unless that is everything: what waits for that can be done now. */
  readonly onSent?: (() => void) | undefined;
}

/** Another writer created a key of ours between our read and our write: possible only when their log is not ours. */
const MAX_UNIQUE_VIOLATIONS = 3;

/** A key that was taken is a sign of more to come: so many batches are read first, before one is decided at the tip again. */
const BATCHES_READ_AFTER_TAKEN_KEY = 50;
/** So is another writer: four after the first miss, twice as many after each further one in a row, up to 256. */
const BATCHES_READ_AFTER_MOVED_END = 2;
const MOVES_MAX = 7;

/** How long an unanswered COMMIT is looked for, in milliseconds: PostgreSQL usually restarts faster. */
const LOST_COMMIT_SEARCH_MS = 10_000;

/** Runs one batch of commands as one transaction (2.5). */
export class BatchCommitter {
  readonly #database: Database;
  /** For batches that are sent behind each other. */
  #ordered: OrderedConnection;
  readonly #logCount: number;
  /** Bucket of the newest event seen: lets the read of the last event skip older partitions. A hint, never trusted. */
  #bucketHint = 0;
  /** Undefined with several logs, and when where the log ends has to be read. */
  #tip: LogTip | undefined;
  #batchesToRead = 0;
  /** Batches in a row that did not find the log end where they were decided. */
  #moves = 0;
  /** How many may create in a batch, about. */
  #creates = 0;
  /** With one log: settles when the batch begun last is over, and all before it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(database: Database, logCount: number) {
    this.#database = database;
    this.#ordered = new OrderedConnection(database);
    this.#logCount = logCount;
  }

  /** Whether `commands` can be sent behind a batch that is not in yet: it costs nothing to be wrong. */
  canFollow(commands: readonly Command[]): boolean {
    return this.#batchesToRead <= 0 && this.#tip?.canDecide(commands) === true;
  }

  /**
   * Commits `commands` under the heads of `logs`. Throws without effect, except DEADLINE_EXCEEDED: then the outcome is unknown.
   * With `isRun` they are written only when every one of them is done; the outcomes tell which is not. With one log batches settle
   * in the order they were begun in, which is that of the log unless one of them fails.
   */
  commit(commands: readonly Command[], logs: ReadonlySet<number>, options: CommitOptions = {}): Promise<CommitResult> {
    if (this.#logCount > 1) return this.#commitRead(commands, [...logs], options);
    const committed = this.#commitInOrder(commands, this.#last, options);
    this.#last = committed.catch(() => {});
    return committed;
  }

  async #commitInOrder(
    commands: readonly Command[],
    before: Promise<unknown>,
    options: CommitOptions,
  ): Promise<CommitResult> {
    const tip = this.#tip;
    const decided = options.isRun || this.#batchesToRead-- > 0 ? undefined : tip?.decide(commands);
    const atTip = tip && decided && (await this.#commitAtTip(tip, decided));
    // Where it ends is known again when this batch is in.
    if (atTip === undefined) this.#tip = undefined;
    await before;
    return atTip ?? this.#commitRead(commands, [ONLY_LOG], options, tip);
  }

  /** One round trip. Undefined and without effect when it was decided on what is not so. */
  async #commitAtTip(tip: LogTip, { decided, ends, after, deadline }: DecidedAtTip): Promise<CommitResult | undefined> {
    const statements = [lockHeads([ONLY_LOG]), ends, ...decided.writes];
    try {
      const written = await this.#ordered.use((connection) => runAndCommit(connection, statements, decided.stamp));
      const [read] = (written.rows[statements.indexOf(ends)] ?? []) as readonly LogEndRow[];
      if (read?.miss) {
        this.#leaveTip(tip);
        // A log that ends before is no other writer's doing: the batch that this one follows came later, or not at all.
        if (read.miss === "taken" || read.revision >= after) this.#readFirst(read.miss);
        return undefined;
      }
      if (written.lostReply) this.#leaveTip(tip);
      if (read !== undefined) tip.learn(read);
      const result = await this.#finish(decided, written, deadline);
      this.#moves = 0;
      return result;
    } catch (error) {
      this.#leaveTip(tip);
      throw error;
    }
  }

  /** The next batch reads where the log ends, and the connection may be broken. */
  #leaveTip(tip: LogTip): void {
    if (this.#tip === tip) this.#tip = undefined;
    this.#ordered = new OrderedConnection(this.#database);
  }

  /** What made a batch miss will probably make the next ones miss, and a miss costs a round trip. */
  #readFirst(miss: Miss): void {
    if (miss === "late") return;
    if (miss === "moved") this.#moves = Math.min(this.#moves + 1, MOVES_MAX);
    const batches = miss === "taken" ? BATCHES_READ_AFTER_TAKEN_KEY : BATCHES_READ_AFTER_MOVED_END << this.#moves;
    this.#batchesToRead = Math.max(this.#batchesToRead, batches);
  }

  /** Again when a writer of another log, which is not held, takes a key between our read and our write. */
  async #commitRead(
    commands: readonly Command[],
    logs: readonly number[],
    options: CommitOptions,
    tip?: LogTip,
  ): Promise<CommitResult> {
    for (let violations = 0; ; ) {
      try {
        return await this.#readAndCommit(commands, logs, options, tip);
      } catch (error) {
        if (!isKeyTaken(error) || ++violations > MAX_UNIQUE_VIOLATIONS) throw error;
      }
    }
  }

  /** Two round trips: lock and read, then write and COMMIT. */
  async #readAndCommit(
    commands: readonly Command[],
    logs: readonly number[],
    { isRun, onSent }: CommitOptions,
    tip: LogTip | undefined,
  ): Promise<CommitResult> {
    const [decided, ends, written, isEndKnown] = await this.#database.withConnection(async (connection) => {
      try {
        const [asked, ends] = await this.#decide(connection, commands, logs, tip);
        const decided = isRun ? wholeOrNothing(asked) : asked;
        const statements = [...decided.writes, { statement: COMMIT, values: [] }];
        const written = runAndCommit(connection, statements, decided.stamp);
        onSent?.();
        return [decided, ends, await written, decided === asked] as const;
      } catch (error) {
        await rollBack(connection, error);
        throw error;
      }
    });
    const result = await this.#finish(decided, written);
    const [read] = ends;
    if (this.#logCount === 1 && read !== undefined && isEndKnown) this.#tip = new LogTip(decided, read);
    return result;
  }

  async #finish({ result, stamp }: DecidedBatch, { lostReply }: Written, deadline?: Date): Promise<CommitResult> {
    // Only now: looking for it needs a connection, and the one that failed must not be held meanwhile.
    if (lostReply !== undefined) {
      // A message that was answered is not under way any more.
      const lateUntil = isFromServer(lostReply.error) ? undefined : deadline;
      await this.#confirm(result.batch.changes, lostReply.error, lateUntil);
    }
    if (result.batch.changes.length > 0) this.#bucketHint = stamp.bucket;
    return result;
  }

  async #decide(
    connection: Connection,
    commands: readonly Command[],
    logs: readonly number[],
    tip: LogTip | undefined,
  ): Promise<readonly [DecidedBatch, readonly LogEndRow[]]> {
    const keys = new Map(commands.map((command) => [keyId(keyOf(command)), keyOf(command)]));
    const created = new Set(commands.filter(mayCreate).map((command) => keyId(keyOf(command))));
    for (const command of commands) if (!mayCreate(command)) created.delete(keyId(keyOf(command)));
    const fingerprint = randomFingerprint();
    // What is read is read in statements after the one that locks (2.3).
    const locked = [{ statement: BEGIN, values: [] }, lockHeads(logs)];
    const creates = commands.filter(mayCreate).length;
    this.#creates = Math.max(creates, Math.floor(this.#creates * 0.9));
    const stock = this.#logCount === 1 ? idsAhead(this.#creates) : 0;
    const ids = creates + Math.max(0, stock - (tip?.spareIds ?? 0));
    const request = { bucketHint: this.#bucketHint, ids, fingerprint };
    const [[, , found = []], states] = await readStates(connection, keys, created, wishedOwners(commands), [
      ...locked,
      readLogEnds(logs, request),
    ]);
    const ends = await this.#ends(connection, logs, request, found as LogEndRow[]);
    const decided = decideBatch(commands, {
      logCount: this.#logCount,
      ends: new Map(ends.map(({ log_id, revision, fingerprint }) => [log_id, { revision, fingerprint }])),
      states,
      owners: await readOwners(connection, commands, states, this.#logCount),
      fingerprint,
      stamp: stampOf(ends),
      ids: [...(tip?.idsAt(ends[0]) ?? []), ...idsOf(ends[0])],
    });
    return [decided, ends];
  }

  /** `found`, unless there was nothing as new in the log as it should be (retention, or another lineage): then looks everywhere. */
  async #ends(
    connection: Connection,
    logs: readonly number[],
    request: LogEndRequest,
    found: readonly LogEndRow[],
  ): Promise<readonly LogEndRow[]> {
    if (request.bucketHint === 0 || found.every((end) => end.last_bucket !== null)) return found;
    const [ends = []] = await connection.queryAll([readLogEnds(logs, { ...request, bucketHint: 0 })]);
    return ends as LogEndRow[];
  }

  /**
   * COMMIT went unanswered. The fingerprint tells whether the batch is in (2.4); locking the heads first waits for a COMMIT that
   * is still under way. One that the network may still deliver is waited for until `deadline`, which it checks under the same lock:
   * nothing is refused that could be stored later (I10).
   */
  async #confirm(changes: readonly Change[], cause: unknown, deadline: Date | undefined): Promise<void> {
    const last = changes.at(-1);
    const giveUpAt = Date.now() + LOST_COMMIT_SEARCH_MS;
    while (last !== undefined && Date.now() < giveUpAt) {
      const found = await this.#find(last, deadline).catch(() => undefined);
      if (found?.is_in) return;
      if (found?.is_over) throw cause;
      await delay(200);
    }
    throw new DomainError(
      "DEADLINE_EXCEEDED",
      "STORE_UNAVAILABLE",
      "the database went away during the commit: the write may or may not be stored; read it, then decide",
      { cause },
    );
  }

  async #find(last: Change, deadline: Date | undefined): Promise<FoundRow | undefined> {
    return this.#database.withConnection(async (connection) => {
      const [, found = []] = await connection.queryAll([lockHeads([last.log]), findFingerprint(last, deadline)]);
      return (found as readonly FoundRow[])[0];
    });
  }
}

/** The batch needs a partition that is not there yet; the caller makes it and commits again. */
export class PartitionMissingError extends Error {
  override readonly name = "PartitionMissingError";
  readonly bucket: number;
  constructor(bucket: number) {
    super(`no partition of events for bucket ${bucket}`);
    this.bucket = bucket;
  }
}

/** Of a run that is not done as a whole nothing is written, and nothing has changed. */
function wholeOrNothing(decided: DecidedBatch): DecidedBatch {
  const { outcomes } = decided.result;
  if (outcomes.every(({ type }) => type === "done")) return decided;
  return { ...decided, writes: [], result: { outcomes, batch: { changes: [], due: [], isCollecting: false } } };
}

/** What a transaction that has probably committed left: the rows of its statements, none when the reply was lost. */
interface Written {
  readonly rows: readonly (readonly unknown[])[];
  readonly lostReply?: { readonly error: unknown };
}

/** Runs statements that end with a commit. Throws when nothing was committed; tells when it may be in all the same. */
async function runAndCommit(
  connection: Connection,
  statements: readonly BoundStatement[],
  { bucket }: CommitStamp,
): Promise<Written> {
  try {
    return { rows: await connection.queryAll(statements) };
  } catch (error) {
    if (isPartitionMissing(error)) throw new PartitionMissingError(bucket);
    // A statement error means that nothing was committed; these may also arrive after the commit.
    if (isFromServer(error) && !mayFollowCommit(error)) throw error;
    return { rows: [], lostReply: { error } };
  }
}

/** A resource with that key is there, though none was read: another replica's, or nobody looked. */
function isKeyTaken(error: unknown): boolean {
  return sqlState(error) === "23505" && constraintOf(error) === "resources_key";
}

/** The bucket never decreases along a log, whatever the clock does: the newest event is in the newest partition. */
function stampOf(ends: readonly LogEndRow[]): CommitStamp {
  const [first] = ends;
  if (first === undefined) throw new Error("a batch locks at least one log");
  const bucket = Math.max(first.now_bucket, ...ends.map((end) => end.last_bucket ?? 0));
  return { now: first.now, bucket };
}

function mayCreate(command: Command): boolean {
  return command.type === "create" || command.type === "apply";
}
