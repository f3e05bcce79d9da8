import { isOutOfRoom, publicProblemOf } from "./driver-errors.js";

/** A refusal for want of room is believed for this long when no write is tried: then the next one may find out. */
const REFUSAL_MAX_AGE_MS = 30_000;

/**
 * Whether PostgreSQL takes writes, for readiness and status: judged by a small write, and by what became of the last large ones. A
 * full disk refuses only what needs a new page, which the small write does not.
 */
export class WriteHealth {
  readonly #tryWrite: () => Promise<unknown>;
  readonly #now: () => number;
  #refusal: { readonly text: string; readonly at: number } | undefined;

  /** `tryWrite` writes something, and rejects when PostgreSQL does not let it. `now` is a monotonic clock in milliseconds. */
  constructor(tryWrite: () => Promise<unknown>, now: () => number = () => performance.now()) {
    this.#tryWrite = tryWrite;
    this.#now = now;
  }

  /** Takes note of a statement that failed. */
  onFailure(error: unknown): void {
    if (isOutOfRoom(error)) this.#refusal = { text: publicProblemOf(error), at: this.#now() };
  }

  /** Takes note of a commit that wrote. */
  onCommit(): void {
    this.#refusal = undefined;
  }

  /** What keeps PostgreSQL from taking writes, in one line with what to do; empty when nothing does. Never rejects. */
  async problem(): Promise<string> {
    try {
      await this.#tryWrite();
    } catch (error) {
      return publicProblemOf(error);
    }
    if (this.#refusal === undefined || this.#now() - this.#refusal.at > REFUSAL_MAX_AGE_MS) return "";
    return this.#refusal.text;
  }
}
