import type { Change, Position } from "../../resource/change.js";
import type { ResourceFilter } from "../../resource/resource-filter.js";
import { changeSize } from "../log/change-size.js";
import { toWatchEvent } from "./event-filter.js";
import type { WatchEvent } from "./watch.js";

/** A batch's limits (2.7); one event may exceed the bytes. */
export const MAX_BATCH_EVENTS = 256;
export const MAX_BATCH_BYTES = 1024 * 1024;
/** Changes looked at for one batch: a selective filter must not hold the event loop. */
export const MAX_SCANNED = 1_024;

/** One move of a cursor. */
export interface Step {
  /** Where it leads. */
  readonly positions: readonly Position[];
  /** What the filter left, possibly nothing. */
  readonly events: readonly WatchEvent[];
  /** Changes looked at. */
  readonly scanned: number;
  /** Memory of the events, about. */
  readonly bytes: number;
}

/** Collects a step from the changes of one or several logs. */
export class StepBuilder {
  readonly #filter: ResourceFilter;
  readonly #positions: Position[];
  readonly #events: WatchEvent[] = [];
  #bytes = 0;
  #scanned = 0;

  constructor(filter: ResourceFilter, from: readonly Position[]) {
    this.#filter = filter;
    this.#positions = [...from];
  }

  /**
   * Takes `changes`, which follow the step's position in `log`, until the batch is full; returns whether all fitted.
   * `hasBefore`: see `toWatchEvent`.
   */
  add(log: number, changes: readonly Change[], hasBefore?: (change: Change) => boolean): boolean {
    for (const change of changes) {
      if (this.#events.length >= MAX_BATCH_EVENTS || this.#scanned >= MAX_SCANNED) return false;
      const event = toWatchEvent(this.#filter, change, hasBefore?.(change));
      if (event !== undefined) {
        const size = changeSize(change);
        if (this.#events.length > 0 && this.#bytes + size > MAX_BATCH_BYTES) return false;
        this.#events.push(event);
        this.#bytes += size;
      }
      this.#scanned += 1;
      this.#positions[log] = { revision: change.revision, fingerprint: change.fingerprint };
    }
    return true;
  }

  /** The step so far. */
  get result(): Step {
    return { positions: this.#positions, events: this.#events, scanned: this.#scanned, bytes: this.#bytes };
  }
}
