import type { Position } from "../../resource/change.js";
import type { ResourceFilter } from "../../resource/resource-filter.js";
import { filterId } from "./event-filter.js";
import type { ResumeTokens } from "./resume-token.js";
import type { RingRead } from "./ring-buffer.js";
import { MAX_BATCH_EVENTS, MAX_SCANNED, type Step, StepBuilder } from "./step.js";
import type { WatchBatch, WatchEvent } from "./watch.js";

const CACHE_BYTES = 32 * 1024 * 1024;
const ENTRY_OVERHEAD_BYTES = 500;
const BOOKMARK: WatchEvent = { type: "BOOKMARK" };

/** The rings steps are made from; `Tail` is one. */
export interface RingSource {
  readonly logs: readonly { read(after: Position, limit: number): RingRead }[];
  /** Changes whenever a ring does. */
  readonly version: number;
}

/** A step with its batch, whose token is that of the step's positions. */
interface SharedStep {
  readonly step: Step;
  readonly batch: WatchBatch;
}

/** The watchers of one filter. They share steps, and with them the batch object: whoever encodes it can do so once. */
export interface FilterGroup {
  /** The step from the rings after `positions`, whose token is `token`; undefined when the rings have no news for them. */
  next(positions: readonly Position[], token: string): SharedStep | undefined;
  /** A watcher of the group ends; to be called once. */
  leave(): void;
}

interface Entry extends SharedStep {
  /** The rings' version it was made from; undefined when they had more than fitted, so it can never grow. */
  readonly version: number | undefined;
  readonly bytes: number;
  readonly forget: () => void;
}

/** The newest steps of every filter, for all watchers of a process (W6). */
export class BatchCache {
  readonly #source: RingSource;
  readonly #tokens: ResumeTokens;
  readonly #groups = new Map<string, { readonly steps: Map<string, Entry>; members: number }>();
  /** Oldest first. */
  readonly #entries = new Set<Entry>();
  #bytes = 0;
  #bookmark: WatchBatch = { events: [BOOKMARK], resumeToken: "" };

  constructor(source: RingSource, tokens: ResumeTokens) {
    this.#source = source;
    this.#tokens = tokens;
  }

  /** Joins the watchers of `filter`. */
  join(filter: ResourceFilter): FilterGroup {
    const id = filterId(filter);
    const group = this.#groups.get(id) ?? { steps: new Map<string, Entry>(), members: 0 };
    group.members += 1;
    this.#groups.set(id, group);
    return {
      next: (positions, token) => {
        const entry = group.steps.get(token);
        // A step that ended where the rings ended then would cut what has come since into needlessly small batches.
        if (entry !== undefined && (entry.version ?? this.#source.version) === this.#source.version) return entry;
        return this.#compute(filter, group.steps, positions, token);
      },
      leave: () => {
        group.members -= 1;
        if (group.members === 0) this.#groups.delete(id);
      },
    };
  }

  /** A BOOKMARK of a position; quiet watches, which are at the same one, share it. */
  bookmark(token: string): WatchBatch {
    if (this.#bookmark.resumeToken !== token) this.#bookmark = { events: [BOOKMARK], resumeToken: token };
    return this.#bookmark;
  }

  #compute(
    filter: ResourceFilter,
    steps: Map<string, Entry>,
    positions: readonly Position[],
    token: string,
  ): Entry | undefined {
    const { logs, version } = this.#source;
    const builder = new StepBuilder(filter, positions);
    let isFull = false;
    // Every log gets its share first, so that a busy one does not starve the others.
    for (const limit of logs.length === 1 ? [MAX_SCANNED] : [Math.ceil(MAX_BATCH_EVENTS / logs.length), MAX_SCANNED]) {
      for (const [log, position] of builder.result.positions.entries()) {
        const read = logs[log]?.read(position, limit);
        if (read?.type === "changes")
          isFull = !builder.add(log, read.changes) || read.changes.length === limit || isFull;
      }
    }
    const step = builder.result;
    return step.scanned === 0 ? undefined : this.#keep(steps, token, step, isFull ? undefined : version);
  }

  #keep(steps: Map<string, Entry>, token: string, step: Step, version: number | undefined): Entry {
    steps.get(token)?.forget();
    const entry: Entry = {
      step,
      batch: { events: step.events, resumeToken: this.#tokens.encode(step.positions) },
      version,
      bytes: step.bytes + ENTRY_OVERHEAD_BYTES,
      forget: () => {
        if (this.#entries.delete(entry)) this.#bytes -= entry.bytes;
        if (steps.get(token) === entry) steps.delete(token);
      },
    };
    steps.set(token, entry);
    this.#entries.add(entry);
    this.#bytes += entry.bytes;
    for (const oldest of this.#entries) {
      if (this.#bytes <= CACHE_BYTES) break;
      oldest.forget();
    }
    return entry;
  }
}
