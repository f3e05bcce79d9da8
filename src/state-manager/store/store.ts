import type { Position } from "../../resource/change.js";
import type { Command, Outcome } from "../../resource/command.js";
import type { ResourceKey } from "../../resource/key.js";
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
}

/** The write side: group commit (2.5). Resolves after commit and publication (or 250 ms of waiting for it). */
export interface CommandSink {
  /** Rejects with a DomainError; UNAVAILABLE when PostgreSQL is away, RESOURCE_EXHAUSTED when the queue is full. */
  submit(command: Command): Promise<CommandResult>;
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
  /** A page ends before it is larger than this, payloads counted; its first resource always comes. */
  readonly maxBytes: number;
}

/** The strong read side. */
export interface ResourceReader {
  /** Coalesced: all keys asked for in one tick are one statement. */
  get(key: ResourceKey): Promise<Resource | undefined>;
  list(query: ListQuery): Promise<ResourcePage>;
}
