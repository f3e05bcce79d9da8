import type { Change, Position } from "../../resource/change.js";
import type { Command, Outcome } from "../../resource/command.js";
import type { KindRef, ResourceKey } from "../../resource/key.js";
import type { Resource } from "../../resource/resource.js";
import type { ResourceFilter } from "../../resource/resource-filter.js";

/** Identity and fixed choices of a store. */
export interface StoreIdentity {
  /** Random, made with the store; part of every Redis key and resume token (2.4). */
  readonly storeId: string;
  /** 1 to 64; fixed when the store is created. */
  readonly logCount: number;
}

/** A command's effect; `resource` is the state after it (for REMOVED the last one, for STALE undefined). */
export interface CommandResult {
  readonly outcome: Outcome;
  readonly resource: Resource | undefined;
  /** The state before it; undefined when there was none. */
  readonly previous: Resource | undefined;
}

/** The write side: group commit (2.5). Resolves after commit and publication (or 250 ms of waiting for it). */
export interface CommandSink {
  /** Rejects with a DomainError; UNAVAILABLE when PostgreSQL is away, RESOURCE_EXHAUSTED when the queue is full. */
  submit(command: Command): Promise<CommandResult>;
}

/** A sink that also takes many commands at once. */
export interface BulkSink extends CommandSink {
  /**
   * Commits `commands`, each about another key, in their order and in runs that are one transaction each: all of a run or
   * nothing. Yields the results of one run after the other; how many there are in a run is the store's choice.
   *
   * Throws RunError at the first run that fails: those yielded before are stored, what stands behind it was not tried. A caller
   * that stops asking stops it after the run at work. Published when it returns (or after 250 ms of waiting for it).
   */
  submitAll(commands: readonly Command[]): AsyncGenerator<readonly CommandResult[], void, undefined>;
}

/** A run of commands that was not stored. */
export class RunError extends Error {
  override readonly name = "RunError";
  /** Where the run begins, and how many commands it has. */
  readonly first: number;
  readonly count: number;
  /** The command that was refused; undefined when the whole run failed. */
  readonly refused: number | undefined;

  constructor(run: { readonly first: number; readonly count: number; readonly refused?: number }, cause: unknown) {
    super(`commands ${run.first} to ${run.first + run.count - 1} were not stored`, { cause });
    this.first = run.first;
    this.count = run.count;
    this.refused = run.refused;
  }
}

/** A place in the history of a key: revisions of several logs may be equal. */
export interface HistoryPosition {
  readonly revision: bigint;
  readonly log: number;
}

/** Which part of a key's history to read. */
export interface HistoryQuery {
  readonly key: ResourceKey;
  /** Only what is older; undefined: from the newest. */
  readonly before: HistoryPosition | undefined;
  readonly limit: number;
  /** As in `ListQuery`. */
  readonly maxBytes: number;
}

/** A change and when it was committed. */
export interface HistoryEntry {
  readonly change: Change;
  readonly committedAt: Date;
}

/** One page of a history, newest first. */
export interface HistoryPage {
  readonly entries: readonly HistoryEntry[];
  /** Continue before this place; undefined on the last page. */
  readonly next: HistoryPosition | undefined;
}

/** A kind that has resources or a reconciler, and how it does; see KindSummary in the contract. */
export interface KindSummary extends KindRef {
  readonly resources: bigint;
  readonly pending: bigint;
  readonly notReady: bigint;
  readonly failing: bigint;
  readonly quarantined: bigint;
  readonly due: bigint;
  readonly leased: bigint;
  readonly oldestDueAt: Date | null;
  /** The one with live sessions; empty when there is none. */
  readonly reconciler: string;
  readonly sessions: number;
}

/** One page of a list, in creation order. */
export interface ResourcePage {
  readonly resources: readonly Resource[];
  /** Continue after this id; undefined on the last page. */
  readonly nextAfterId: bigint | undefined;
  /** The head of every log in the snapshot the page was read in. */
  readonly heads: readonly Position[];
}

/** What to list; all conditions are ANDed. */
export interface ListQuery {
  readonly filter: ResourceFilter;
  readonly pendingOnly: boolean;
  /** Keyset position; 0n from the start. */
  readonly afterId: bigint;
  /** 0 unless the REST dialect pages by offset. */
  readonly offset: number;
  /** 1 to 10,000. */
  readonly limit: number;
  /** Specs are left out (null) and not even read; default: false. */
  readonly withoutSpec?: boolean | undefined;
  /** A page ends before it is larger than this, payloads counted; its first resource always comes. */
  readonly maxBytes: number;
}

/** What PostgreSQL tells about the store. */
export interface StoreHealth {
  /** What keeps it from taking writes, in one line with what to do; empty when nothing does. */
  readonly problem: string;
  readonly version: string;
  readonly now: Date;
  /** The newest schema migration the store has. */
  readonly schema: number;
  readonly logs: readonly { readonly head: bigint; readonly floor: bigint }[];
}

/** The strong read side. */
export interface ResourceReader {
  /** Coalesced: all keys asked for in one tick are one statement. */
  get(key: ResourceKey): Promise<Resource | undefined>;
  list(query: ListQuery): Promise<ResourcePage>;
  history(query: HistoryQuery): Promise<HistoryPage>;
  /** By group and kind. Walks everything: ask seldom. */
  countKinds(): Promise<readonly KindSummary[]>;
}
