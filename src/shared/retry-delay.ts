import { backoffMs } from "../resource/backoff.js";

/** Waits between attempts that grow with every failure in a row. One owner; never rejects. */
export class RetryDelay {
  readonly #baseMs: number;
  readonly #maxMs: number;
  #failures = 0;
  #end: (() => void) | undefined;

  /** The first wait is about `baseMs`, each further one twice as long, none above `maxMs`; jitter shortens by up to 20 %. */
  constructor(baseMs: number, maxMs: number) {
    this.#baseMs = baseMs;
    this.#maxMs = maxMs;
  }

  /** Resolves when it is time for the next attempt, or as soon as `cut` is called. */
  wait(): Promise<void> {
    this.#failures += 1;
    const delayMs = backoffMs(this.#failures, this.#baseMs, this.#maxMs, Math.random());
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.cut(), delayMs);
      this.#end = () => {
        clearTimeout(timer);
        this.#end = undefined;
        resolve();
      };
    });
  }

  /** Ends the wait in progress: something changed that makes an attempt worth while. */
  cut(): void {
    this.#end?.();
  }

  /** An attempt succeeded: the next wait is short again. */
  reset(): void {
    this.#failures = 0;
  }
}
