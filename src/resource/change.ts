import type { Resource, StringMap } from "./resource.js";

/** What happened to a resource in its log. A move to another shard is DELETED with `movedTo`, then ADDED. */
export type ChangeType = "ADDED" | "MODIFIED" | "DELETED";

/** A place in one log: the number of an event and the fingerprint of the batch that wrote it (2.4). */
export interface Position {
  readonly revision: bigint;
  readonly fingerprint: bigint;
}

/** The place before the first event of every log. */
export const ORIGIN: Position = { revision: 0n, fingerprint: 0n };

/** One numbered event of a log. */
export interface Change {
  /** 0 to the store's log count - 1. */
  readonly log: number;
  readonly revision: bigint;
  /** Fingerprint of the commit batch; 64 random bits, never 0. */
  readonly fingerprint: bigint;
  /** Fingerprint of the event numbered `revision - 1`; 0 for the first event. */
  readonly previousFingerprint: bigint;
  readonly type: ChangeType;
  /** The object after the change, its `revision` being this one; for DELETED the last state. */
  readonly resource: Resource;
  /** Labels before the change; null for ADDED. */
  readonly previousLabels: StringMap | null;
  /** Uid of the owner before the change; null for ADDED and for none. */
  readonly previousOwnerUid: string | null;
  /** The resource's revision before this change, in this log; 0 for ADDED. */
  readonly previousRevision: bigint;
  /** The resource's generation before this change; 0 for ADDED. Below the resource's own: its desired state was written. */
  readonly previousGeneration: bigint;
  /** For DELETED by a move: the shard that holds the resource now. */
  readonly movedTo: string | null;
}
