import { randomBytes } from "node:crypto";
import type { Position } from "../../resource/change.js";
import type { Command } from "../../resource/command.js";
import { type DecidedBatch, decideBatch } from "./decide-batch.js";
import { INSERT_CREATED } from "./statements/created.js";
import type { LogEndRow } from "./statements/events.js";
import type { CommitStamp } from "./write-draft.js";

/**
 * Where the one log ended when this replica committed to it last, and what it drew and read for the batch after. It holds for as
 * long as nobody else commits, which the transaction itself finds out.
 *
 * With several logs there is none: ids are drawn ahead, and a key that changes its log must get a higher one with every life.
 */
export interface LogTip {
  readonly end: Position;
  /** Of the event at the end. */
  readonly bucket: number;
  /** The database clock, and `performance.now()` when it was known here, so a little later. */
  readonly clock: { readonly now: Date; readonly knownAt: number };
  readonly ids: readonly bigint[];
}

/** The one log. */
export const ONLY_LOG = 0;
/** Time that passes on our clock is not quite that of the database: after this many milliseconds it is read again. */
const MAX_AGE_MS = 5_000;
const MS_PER_BUCKET = 3_600_000;

/** Ids to have in stock after a batch with `creates` that may create: enough for the next to be twice as large. */
export function idsAhead(creates: number): number {
  return creates === 0 ? 0 : 2 * creates + 8;
}

/**
 * Decides a batch that only creates, at the tip and on nothing read: as if none of its keys were taken, which the unique index
 * finds out. Undefined for any other batch, and when the tip has become too old or has too few ids.
 */
export function decideAtTip(commands: readonly Command[], tip: LogTip, fingerprint: bigint): DecidedBatch | undefined {
  if (tip.ids.length < commands.length || !commands.every(createsOrphan)) return undefined;
  const stamp = stampAt(tip);
  if (stamp === undefined) return undefined;
  const decided = decideBatch(commands, {
    logCount: 1,
    ends: new Map([[ONLY_LOG, tip.end]]),
    states: new Map(),
    owners: new Map(),
    fingerprint,
    stamp,
    ids: tip.ids,
  });
  const [write, ...others] = decided.writes;
  return write?.statement === INSERT_CREATED && others.length === 0 ? decided : undefined;
}

function createsOrphan(command: Command): boolean {
  return command.type === "create" && !command.input.owner;
}

/** Never ahead of the database clock: what is due now must be due there. */
function stampAt({ clock, bucket }: LogTip): CommitStamp | undefined {
  const ageMs = Math.floor(performance.now() - clock.knownAt);
  if (ageMs > MAX_AGE_MS) return undefined;
  const now = new Date(clock.now.getTime() + ageMs);
  // As PostgreSQL rounds.
  return { now, bucket: Math.max(bucket, Math.round(now.getTime() / MS_PER_BUCKET)) };
}

/** The tip after a batch that wrote something, and was told the clock by `ends`. */
export function tipAfter({ ends, stamp, ids }: DecidedBatch, [read]: readonly LogEndRow[]): LogTip | undefined {
  const end = ends.get(ONLY_LOG);
  if (end === undefined || read === undefined) return undefined;
  return { end, bucket: stamp.bucket, clock: { now: read.now, knownAt: performance.now() }, ids };
}

/** Of a batch (2.4); never 0. */
export function randomFingerprint(): bigint {
  return randomBytes(8).readBigInt64BE() || 1n;
}
