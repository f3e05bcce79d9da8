import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Change } from "../../resource/change.js";
import type { Command } from "../../resource/command.js";
import { keyOf } from "../../resource/decide.js";
import { DomainError } from "../../resource/errors.js";
import { keyId } from "../../resource/key.js";
import type { CommittedBatch } from "../log/change-log.js";
import { BatchDraft, type ItemOutcome } from "./batch-draft.js";
import { COMMIT, type Connection, type Database, ROLLBACK, rollBack } from "./database.js";
import { constraintOf, isFromServer, isPartitionMissing, sqlState } from "./driver-errors.js";
import { dueHints } from "./due-hints.js";
import { readOwners, wishedOwners } from "./read-owners.js";
import { readStates } from "./read-states.js";
import { FIND_FINGERPRINT, type LogEndRow, lockHeadsScript, READ_LOG_ENDS } from "./statements/events.js";
import { type CommitStamp, type Write, writesOf } from "./write-draft.js";

/** What a committed transaction left behind. */
export interface CommitResult {
  /** In the order of the commands. */
  readonly outcomes: readonly ItemOutcome[];
  readonly batch: CommittedBatch;
}

/** Another writer created a key of ours between our read and our write: possible only when their log is not ours. */
const MAX_UNIQUE_VIOLATIONS = 3;

/** How long an unanswered COMMIT is looked for, in milliseconds: PostgreSQL usually restarts faster. */
const LOST_COMMIT_SEARCH_MS = 10_000;

/** Runs one batch of commands as one transaction (2.5). */
export class BatchCommitter {
  readonly #database: Database;
  readonly #logCount: number;
  /** Bucket of the newest event seen: lets the read of the last event skip older partitions. A hint, never trusted. */
  #bucketHint = 0;

  constructor(database: Database, logCount: number) {
    this.#database = database;
    this.#logCount = logCount;
  }

  /**
   * Commits `commands` under the heads of `logs`. Throws without effect, except DEADLINE_EXCEEDED: then the outcome is unknown.
   */
  async commit(commands: readonly Command[], logs: ReadonlySet<number>): Promise<CommitResult> {
    for (let violations = 0; ; ) {
      try {
        return await this.#commitOnce(commands, [...logs]);
      } catch (error) {
        if (sqlState(error) !== "23505" || constraintOf(error) !== "resources_key") throw error;
        if (++violations > MAX_UNIQUE_VIOLATIONS) throw error;
      }
    }
  }

  /** Two round trips when the batch is one write statement: lock and read, then write and COMMIT. */
  async #commitOnce(commands: readonly Command[], logs: readonly number[]): Promise<CommitResult> {
    const { stamp, result, lostReply } = await this.#database.withConnection(async (connection) => {
      let decided: DecidedBatch;
      try {
        decided = await this.#decide(connection, commands, logs);
      } catch (error) {
        await rollBack(connection, error);
        throw error;
      }
      const lostReply = await writeAndCommit(connection, decided.writes).catch((error: unknown) => {
        throw isPartitionMissing(error) ? new PartitionMissingError(decided.stamp.bucket) : error;
      });
      return { ...decided, lostReply };
    });
    // Only now: looking for it needs a connection, and the one that failed must not be held meanwhile.
    if (lostReply !== undefined) await this.#confirm(result.batch.changes, lostReply.error);
    this.#bucketHint = stamp.bucket;
    return result;
  }

  async #decide(connection: Connection, commands: readonly Command[], logs: readonly number[]): Promise<DecidedBatch> {
    const keys = new Map(commands.map((command) => [keyId(keyOf(command)), keyOf(command)]));
    const created = new Set(commands.filter(mayCreate).map((command) => keyId(keyOf(command))));
    for (const command of commands) if (!mayCreate(command)) created.delete(keyId(keyOf(command)));
    // Sent together, run in order: what is read is read in statements after the one that locks (2.3).
    const [, ends, states] = await Promise.all([
      connection.query(lockHeadsScript(logs)),
      this.#readEnds(connection, logs, commands.filter(mayCreate).length),
      readStates(connection, keys, created, wishedOwners(commands)),
    ]);
    const owners = await readOwners(connection, commands, states, this.#logCount);
    const stamp = stampOf(ends);
    const ids = ends.flatMap((end) => end.ids ?? []).map(BigInt);
    const draft = new BatchDraft({
      logCount: this.#logCount,
      ends: new Map(ends.map(({ log_id, revision, fingerprint }) => [log_id, { revision, fingerprint }])),
      states,
      owners,
      fingerprint: randomFingerprint(),
      context: {
        now: stamp.now,
        newId: () => {
          const id = ids.shift();
          if (id === undefined) throw new Error("more resources created than ids drawn");
          return id;
        },
        newUid: randomUUID,
        random: Math.random,
      },
    });
    const outcomes = commands.map((command) => draft.apply(command));
    const due = dueHints(draft.keys, stamp.now);
    const isCollecting = draft.endings.length > 0 || draft.woken.size > 0;
    return {
      stamp,
      writes: writesOf(draft, this.#logCount, stamp),
      result: { outcomes, batch: { changes: draft.changes, due, isCollecting } },
    };
  }

  async #readEnds(connection: Connection, logs: readonly number[], ids: number): Promise<LogEndRow[]> {
    const ends = await connection.query<LogEndRow>(READ_LOG_ENDS, [logs, this.#bucketHint, ids]);
    if (this.#bucketHint === 0 || ends.every((end) => end.last_bucket !== null)) return ends;
    // Nothing that new in the log (retention, or another lineage): look everywhere.
    return connection.query<LogEndRow>(READ_LOG_ENDS, [logs, 0, ids]);
  }

  /**
   * COMMIT went unanswered. The fingerprint tells whether the batch is in (2.4); locking the heads first waits for a COMMIT that
   * is still under way.
   */
  async #confirm(changes: readonly Change[], cause: unknown): Promise<void> {
    const last = changes.at(-1);
    const giveUpAt = Date.now() + LOST_COMMIT_SEARCH_MS;
    while (last !== undefined && Date.now() < giveUpAt) {
      const isIn = await this.#isIn(last).catch(() => undefined);
      if (isIn === true) return;
      if (isIn === false) throw cause;
      await delay(200);
    }
    throw new DomainError(
      "DEADLINE_EXCEEDED",
      "STORE_UNAVAILABLE",
      "the database went away during the commit: the write may or may not be stored; read it, then decide",
      { cause },
    );
  }

  async #isIn(last: Change): Promise<boolean> {
    return this.#database.withConnection(async (connection) => {
      await connection.query(lockHeadsScript([last.log]));
      const found = await connection.query(FIND_FINGERPRINT, [last.log, last.revision, last.fingerprint]);
      await connection.query(ROLLBACK);
      return found.length > 0;
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

interface DecidedBatch {
  readonly stamp: CommitStamp;
  readonly writes: readonly Write[];
  readonly result: CommitResult;
}

/**
 * Throws when nothing was committed; returns the error of a COMMIT that may be in all the same.
 *
 * COMMIT travels with the write when there is only one: a write that fails, wherever it fails, leaves nothing to commit. Behind
 * several it has to wait, because one that failed before it was sent would not keep the others from being committed.
 */
async function writeAndCommit(
  connection: Connection,
  writes: readonly Write[],
): Promise<{ readonly error: unknown } | undefined> {
  const sent = writes.map(({ statement, values }) => connection.query(statement, values));
  if (writes.length > 1) {
    try {
      await Promise.all(sent);
    } catch (error) {
      await rollBack(connection, error);
      throw error;
    }
  }
  const [[failed], [unconfirmed]] = await Promise.all([
    Promise.allSettled(sent).then(reasons),
    Promise.allSettled([connection.query(COMMIT)]).then(reasons),
  ]);
  // Whatever the server itself said about the write, it said instead of doing it: then COMMIT has rolled back.
  if (failed !== undefined && isFromServer(failed.error)) throw failed.error;
  return failed ?? unconfirmed;
}

function reasons(results: readonly PromiseSettledResult<unknown>[]): { readonly error: unknown }[] {
  return results.flatMap((result) => (result.status === "rejected" ? [{ error: result.reason }] : []));
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

function randomFingerprint(): bigint {
  return randomBytes(8).readBigInt64BE() || 1n;
}
