/** A jump of the database clock: the time between two looks at it, less what this process measured in between. */
export interface ClockStep {
  /** By this process's clock. */
  readonly seenAt: Date;
  /** Negative: it was set back. */
  readonly byMs: number;
}

/** Jumps below this are not told apart from a slow answer, and delay nothing noticeably. */
const STEP_MIN_MS = 1_000;

/** An answer that took longer says too little about when the database looked at its clock. */
const ANSWER_MAX_MS = 2_000;

/**
 * Compares the database clock with this process's monotonic one, look after look, and says when they moved apart. It sees a
 * clock that was set, a failover to a server with another clock, and a machine that slept: the monotonic clock stands still then.
 */
export class ClockWatch {
  /** Database clock less monotonic clock: at least and at most, since the database looked somewhere between question and answer. */
  #offset: { readonly min: number; readonly max: number } | undefined;

  /** Takes the database clock as of a question sent and answered at these monotonic times. Undefined: no jump. */
  observe(databaseMs: number, sentAt: number, answeredAt: number): ClockStep | undefined {
    if (answeredAt - sentAt > ANSWER_MAX_MS) return undefined;
    const offset = { min: databaseMs - answeredAt, max: databaseMs - sentAt };
    const before = this.#offset;
    this.#offset = offset;
    if (before === undefined) return undefined;
    const isStep = offset.min > before.max + STEP_MIN_MS || offset.max < before.min - STEP_MIN_MS;
    if (!isStep) return undefined;
    return { seenAt: new Date(), byMs: Math.round((offset.min + offset.max - before.min - before.max) / 2) };
  }
}
