/**
 * Wakes everything that waits for news, once per batch of news and at most every `spacingMs`: with hundreds of watchers the
 * wake-up costs more than the event. The first news after a quiet time wakes at once.
 */
export class Wakeups {
  readonly #spacingMs: number;
  #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #lastWakeAt = Number.NEGATIVE_INFINITY;

  constructor(spacingMs: number) {
    this.#spacingMs = spacingMs;
  }

  /** Calls `wake` once, at the next news or at `wakeAll`; adding it twice is adding it once. */
  add(wake: () => void): void {
    this.#waiting.add(wake);
  }

  /** Forgets `wake`. */
  remove(wake: () => void): void {
    this.#waiting.delete(wake);
  }

  /** There is news. */
  notify(): void {
    if (this.#waiting.size === 0 || this.#timer !== undefined) return;
    const waitMs = this.#lastWakeAt + this.#spacingMs - performance.now();
    if (waitMs <= 0) this.wakeAll();
    else this.#timer = setTimeout(() => this.wakeAll(), waitMs);
  }

  /** Wakes all now. */
  wakeAll(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#lastWakeAt = performance.now();
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }
}
