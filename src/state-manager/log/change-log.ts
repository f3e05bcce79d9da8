import type { Change, Position } from "../../resource/change.js";

/** What a log holds: events numbered above `floor` up to `head`. */
export interface LogExtent {
  readonly floor: Position;
  readonly head: Position;
}

/**
 * Reads the ordered history of a log. PostgreSQL holds it; Redis holds a rebuildable recent part.
 *
 * An implementation never returns a gap or a wrong lineage: what it cannot serve, it refuses.
 */
export interface ChangeLog {
  /**
   * Up to `limit` changes directly after `after`, in order; fewer (also none) at the end of the log.
   *
   * Throws DomainError LINEAGE_LOST when `after` is not a position of this history (I4), COMPACTED when it is older than
   * the floor. The Redis log answers `undefined` when it does not hold the range: ask PostgreSQL.
   */
  read(log: number, after: Position, limit: number): Promise<readonly Change[] | undefined>;
}

/** The history in PostgreSQL: complete down to the floor. */
export interface DurableChangeLog extends ChangeLog {
  read(log: number, after: Position, limit: number): Promise<readonly Change[]>;
  /** Floor and head of every log, in one statement. */
  extents(): Promise<readonly LogExtent[]>;
}

/** A transaction that committed; handed over after commit, in log order per replica. */
export interface CommittedBatch {
  /** Per log contiguous, ascending. */
  readonly changes: readonly Change[];
  /** Work that became due, one entry per kind: the doorbell's cue. */
  readonly due: readonly CommittedDue[];
  /** Owners may be on their way out whose children are to be dealt with: the collector's cue. */
  readonly isCollecting: boolean;
}

/** Work of a kind comes due in `inMs` milliseconds (0: now), counted from the commit. */
export interface DueHint {
  readonly resourceGroup: string;
  readonly kind: string;
  readonly inMs: number;
}

/** What a commit made due. */
export interface CommittedDue extends DueHint {
  /** Items that became due, now or later. */
  readonly items: number;
}
