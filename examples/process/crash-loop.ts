/** A process that ran this long counts as healthy again. */
const HEALTHY_AFTER_MS = 10_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 60_000;

/** Slows down the restarts of processes that keep ending: the first is immediate, then 0.5 s doubling to 60 s. */
export class CrashLoop {
  readonly #starts = new Map<string, { at: number; crashes: number }>();

  /** A process is started. */
  noteStart(id: string): void {
    this.#starts.set(id, { at: Date.now(), crashes: this.#starts.get(id)?.crashes ?? 0 });
  }

  /** A process ended without being asked to. */
  noteExit(id: string): void {
    const start = this.#starts.get(id);
    if (start !== undefined) start.crashes = Date.now() - start.at < HEALTHY_AFTER_MS ? start.crashes + 1 : 0;
  }

  /** The past does not count any more: another command, or no resource. */
  forget(id: string): void {
    this.#starts.delete(id);
  }

  /** How long to wait until the next start, in milliseconds; 0: start now. */
  waitMs(id: string): number {
    const { at, crashes } = this.#starts.get(id) ?? { at: 0, crashes: 0 };
    if (crashes < 2) return 0;
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (crashes - 2));
    return Math.max(0, at + wait - Date.now());
  }
}
