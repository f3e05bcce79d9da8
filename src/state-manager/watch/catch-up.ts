import type { Change, Position } from "../../resource/change.js";
import type { Metrics } from "../observability/metrics.js";
import type { History } from "./history.js";
import { MAX_BATCH_BYTES, type StepBuilder } from "./step.js";

const FIRST_READ_EVENTS = 32;
const MAX_READ_EVENTS = 256;

/**
 * Moves one watch through history. Reads few changes at first and more while they are small, so that a read brings about
 * one batch into memory, not hundreds of large resources (I9).
 */
export class CatchUp {
  readonly #history: History;
  readonly #metrics: Metrics;
  #limit = FIRST_READ_EVENTS;

  constructor(history: History, metrics: Metrics) {
    this.#history = history;
    this.#metrics = metrics;
  }

  /** Adds what follows `after` to the step. Throws as `History.read` does. */
  async pull(step: StepBuilder, log: number, after: Position, hasBefore?: (change: Change) => boolean): Promise<void> {
    const { changes, source } = await this.#history.read(log, after, this.#limit);
    this.#metrics.watchEvents.inc({ source }, changes.length);
    const isAllTaken = step.add(log, changes, hasBefore);
    if (!isAllTaken) this.#limit = Math.max(1, this.#limit >> 1);
    else if (step.result.bytes < MAX_BATCH_BYTES / 2) this.#limit = Math.min(MAX_READ_EVENTS, this.#limit * 2);
  }
}
