import { randomBytes } from "node:crypto";
import type { Position } from "../../resource/change.js";
import type { Command } from "../../resource/command.js";
import { keyOf } from "../../resource/decide.js";
import type { BoundStatement } from "./database.js";
import { type DecidedBatch, decideBatch } from "./decide-batch.js";
import { keyArrays } from "./read-states.js";
import { INSERT_CREATED } from "./statements/created.js";
import { type LogEndRow, readLogEnds } from "./statements/events.js";
import type { CommitStamp } from "./write-draft.js";

/** The one log. */
export const ONLY_LOG = 0;
/** Time that passes on our clock is not quite that of the database: after this many milliseconds it is read again. */
const MAX_AGE_MS = 5_000;
/**
 * A batch that reaches the head later than this after it was decided is not written, in milliseconds: as long as a lock is waited
 * for. So a replica that gives up waiting for its answer knows soon that it is in, or never will be.
 */
const MAX_DELAY_MS = 3_000;
const MS_PER_BUCKET = 3_600_000;

/** A batch decided at the tip, and the statement that finds out whether the log ends there. */
export interface DecidedAtTip {
  readonly decided: DecidedBatch;
  readonly ends: BoundStatement;
  /** The revision behind which it was decided. */
  readonly after: bigint;
  /** On the database clock; later it is not written. */
  readonly deadline: Date;
}

/**
 * Where the one log ends when all is in that this replica has sent, and what it drew and read for what comes next. It holds for
 * as long as nobody else commits, which every transaction finds out for itself.
 *
 * With several logs there is none: ids are drawn ahead, and a key that changes its log must get a higher one with every life.
 */
export class LogTip {
  #end: Position;
  /** Of the event at the end. */
  #bucket: number;
  #ids: readonly bigint[];
  /** The database clock, and `performance.now()` when it was known here, so a little later. */
  #clock: { readonly now: Date; readonly knownAt: number };

  /** The tip behind a batch that was decided on `read`. */
  constructor({ ends, stamp, ids, result }: DecidedBatch, read: LogEndRow) {
    this.#end = endOf(ends);
    this.#bucket = result.batch.changes.length > 0 ? stamp.bucket : (read.last_bucket ?? 0);
    this.#ids = ids;
    this.#clock = clockOf(read);
  }

  /** Whether all `commands` create, so that nothing needs to be read, and the tip is young and has ids enough. */
  canDecide(commands: readonly Command[]): boolean {
    return this.#ids.length >= commands.length && this.#ageMs() <= MAX_AGE_MS && commands.every(createsOrphan);
  }

  /**
   * Decides a batch as if none of its keys were taken, which the unique index finds out, and moves behind it at once. Undefined
   * when it cannot.
   */
  decide(commands: readonly Command[]): DecidedAtTip | undefined {
    if (!this.canDecide(commands)) return undefined;
    const fingerprint = randomFingerprint();
    const decided = decideBatch(commands, {
      logCount: 1,
      ends: new Map([[ONLY_LOG, this.#end]]),
      states: new Map(),
      owners: new Map(),
      fingerprint,
      stamp: this.#stamp(),
      ids: this.#ids,
    });
    const [write, ...others] = decided.writes;
    if (write?.statement !== INSERT_CREATED || others.length > 0) return undefined;
    const deadline = new Date(decided.stamp.now.getTime() + MAX_DELAY_MS);
    const free = keyArrays(commands.map(keyOf));
    const ends = readLogEnds([ONLY_LOG], {
      bucketHint: this.#bucket,
      ids: Math.max(0, idsAhead(commands.length) - decided.ids.length),
      fingerprint,
      assumed: { endsWith: this.#end.fingerprint, deadline, free },
    });
    const after = this.#end.revision;
    this.#end = endOf(decided.ends);
    this.#bucket = decided.stamp.bucket;
    this.#ids = decided.ids;
    return { decided, ends, after, deadline };
  }

  /** The ids left over, when the log still ends here as `read` behind its lock: newer ones may have been used otherwise. */
  idsAt(read: LogEndRow | undefined): readonly bigint[] {
    return read?.fingerprint === this.#end.fingerprint ? this.#ids : [];
  }

  /** How many ids `idsAt` gives when nobody else has written. */
  get spareIds(): number {
    return this.#ids.length;
  }

  /** Takes over what a batch that is in has read. */
  learn(read: LogEndRow): void {
    this.#clock = clockOf(read);
    this.#ids = [...this.#ids, ...idsOf(read)];
  }

  /** Never ahead of the database clock: what is due now must be due there. */
  #stamp(): CommitStamp {
    const now = new Date(this.#clock.now.getTime() + this.#ageMs());
    // As PostgreSQL rounds.
    return { now, bucket: Math.max(this.#bucket, Math.round(now.getTime() / MS_PER_BUCKET)) };
  }

  #ageMs(): number {
    return Math.floor(performance.now() - this.#clock.knownAt);
  }
}

/** Ids to have in stock when batches have about `creates` that may create: enough for two more that are half as large again. */
export function idsAhead(creates: number): number {
  return 3 * creates + 8;
}

/** The ids that came with a row. */
export function idsOf(read: LogEndRow | undefined): readonly bigint[] {
  return read?.ids?.map(BigInt) ?? [];
}

/** Of a batch (2.4); never 0. */
export function randomFingerprint(): bigint {
  return randomBytes(8).readBigInt64BE() || 1n;
}

function createsOrphan(command: Command): boolean {
  return command.type === "create" && !command.input.owner;
}

function clockOf({ now }: LogEndRow) {
  return { now, knownAt: performance.now() };
}

function endOf(ends: ReadonlyMap<number, Position>): Position {
  const end = ends.get(ONLY_LOG);
  if (end === undefined) throw new Error("the batch did not hold the only log");
  return end;
}
