import type { Change, ChangeType, Position } from "../../resource/change.js";
import type { Resource } from "../../resource/resource.js";
import type { ResourceFilter } from "../../resource/resource-filter.js";

/** One event as a watcher sees it: entering a selector is ADDED, leaving it DELETED. */
export type WatchEvent =
  | {
      readonly type: ChangeType;
      readonly resource: Resource;
      readonly revision: bigint;
      readonly movedTo: string | null;
      /** The log entry behind it, shared by all watchers: a place to memoise encodings. Absent in the initial state. */
      readonly change: Change | undefined;
    }
  | { readonly type: "SYNCED" | "BOOKMARK" };

/** Events and the position after the last of them. Watchers of one filter share the object: a place to memoise bytes. */
export interface WatchBatch {
  /** 1 to 256. */
  readonly events: readonly WatchEvent[];
  /** Empty until SYNCED: a watch that breaks inside its initial state starts over, as nobody knows what it still lacks. */
  readonly resumeToken: string;
}

/** What to watch and from where. */
export interface WatchRequest {
  readonly filter: ResourceFilter;
  readonly sendInitialState: boolean;
  /** Undefined: from now on. */
  readonly resumeToken: string | undefined;
}

/** Opens watches. */
export interface WatchSource {
  /**
   * Checks the token and returns the batches. Rejects, before anything is streamed, with DomainError COMPACTED,
   * FOREIGN_TOKEN, MALFORMED_TOKEN or STORE_UNAVAILABLE. The first batch comes at once (a BOOKMARK when nothing else), then one at least
   * every few seconds. Iteration throws DomainError COMPACTED or LINEAGE_LOST when the position cannot be served any more, and
   * SHUTTING_DOWN (UNAVAILABLE) when the server stops; it ends when `signal` aborts.
   */
  open(request: WatchRequest, signal: AbortSignal): Promise<AsyncIterable<WatchBatch>>;
  /** The token of the current end of all logs, as a list returns it. */
  tokenFor(heads: readonly Position[]): string;
}
