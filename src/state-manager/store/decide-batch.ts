import { randomUUID } from "node:crypto";
import type { Position } from "../../resource/change.js";
import type { Command } from "../../resource/command.js";
import type { CommittedBatch } from "../log/change-log.js";
import { BatchDraft, type DraftBasis, type ItemOutcome } from "./batch-draft.js";
import type { BoundStatement } from "./database.js";
import { dueHints } from "./due-hints.js";
import { type CommitStamp, writesOf } from "./write-draft.js";

/** What a committed transaction left behind. */
export interface CommitResult {
  /** In the order of the commands. */
  readonly outcomes: readonly ItemOutcome[];
  readonly batch: CommittedBatch;
}

/** What a batch is decided on: as read under the lock of the heads, or as it will be found there. */
export interface BatchBasis extends Omit<DraftBasis, "context"> {
  readonly stamp: CommitStamp;
  /** As many as resources may be created, and more. */
  readonly ids: readonly bigint[];
}

/** A batch that only has to be written. */
export interface DecidedBatch {
  readonly stamp: CommitStamp;
  readonly writes: readonly BoundStatement[];
  readonly result: CommitResult;
  /** Where the logs end then. */
  readonly ends: ReadonlyMap<number, Position>;
  /** The ids that were not used. */
  readonly ids: readonly bigint[];
}

/** Decides the commands of a batch in their order. */
export function decideBatch(commands: readonly Command[], { stamp, ids, ...basis }: BatchBasis): DecidedBatch {
  let used = 0;
  const newId = () => {
    const id = ids[used++];
    if (id === undefined) throw new Error("more resources created than ids drawn");
    return id;
  };
  const context = { now: stamp.now, newId, newUid: randomUUID, random: Math.random };
  const draft = new BatchDraft({ ...basis, context });
  const outcomes = commands.map((command) => draft.apply(command));
  const due = dueHints(draft.keys, stamp.now);
  const isCollecting = draft.endings.length > 0 || draft.woken.size > 0;
  return {
    stamp,
    writes: writesOf(draft, basis.logCount, stamp),
    result: { outcomes, batch: { changes: draft.changes, due, isCollecting } },
    ends: draft.ends,
    ids: ids.slice(used),
  };
}
