import { ApiError } from "../client/api-error.js";
import { pause, retryDelayMs } from "../client/retry.js";
import { type ProgressBatch, ProgressOutbox } from "./progress-outbox.js";

/**
 * Renewals within one lease duration. Three while a lease is held, and a tenth more, so that timers that run late do not make two
 * of them. While none is held there is nothing to lose but the registration, and every renewal is a statement that an idle
 * server has to send.
 */
const RENEWALS = { busy: 3.3, idle: 2 };
/** Progress is sent at once, but not more often than this. */
const PROGRESS_INTERVAL_MS = 500;

/** What a session's renewals need of it. */
interface RenewingSession {
  readonly leaseDurationMs: number;
  /** Aborts when the session has ended. */
  readonly signal: AbortSignal;
  /** How many leases are held. */
  heldCount(): number;
  isHeld(token: string): boolean;
  /** One renewal, with all that follows from its answer. Rejects when there is none. */
  renew(progress: ProgressBatch, timeoutMs: number): Promise<void>;
  /** A renewal failed. `isRefused`: over the progress it carried, which is not sent again. */
  onFailed(error: ApiError, isRefused: boolean): void;
}

/** When to renew: regularly, and sooner when there is progress to send or a reason to look. */
export class Renewals {
  readonly progress: ProgressOutbox;
  readonly #session: RenewingSession;
  #sentAt: number;
  /** The last renewal failed: try again then. */
  #retryAt: number | undefined;
  /** Someone asked for a renewal by then. */
  #askedAt = Number.POSITIVE_INFINITY;
  #sleep = new AbortController();

  /** `sentAt`: when the registration, which counts as the first renewal, was sent. */
  constructor(session: RenewingSession, sentAt: number) {
    this.#session = session;
    this.#sentAt = sentAt;
    this.progress = new ProgressOutbox((token) => session.isHeld(token));
  }

  /** Looks again when the next renewal is: a lease was taken, progress was saved, the session ended. */
  wake(): void {
    this.#sleep.abort();
  }

  /** A renewal in `ms` at the latest. */
  renewWithin(ms: number): void {
    this.#askedAt = Math.min(this.#askedAt, performance.now() + ms);
    this.wake();
  }

  /** Renews until the session ends. */
  async run(): Promise<void> {
    for (let failures = 0; !this.#session.signal.aborted; ) {
      const waitMs = this.#nextAt() - performance.now();
      if (waitMs > 0) {
        this.#sleep = new AbortController();
        await pause(waitMs, this.#sleep.signal);
        continue;
      }
      failures = (await this.#renew()) ? 0 : failures + 1;
      this.#retryAt =
        failures === 0 ? undefined : performance.now() + Math.min(retryDelayMs(failures), this.#intervalMs("busy"));
    }
  }

  async #renew(): Promise<boolean> {
    const batch = this.progress.take();
    this.#sentAt = performance.now();
    this.#askedAt = Number.POSITIVE_INFINITY;
    try {
      await this.#session.renew(batch, Math.round(this.#intervalMs("busy")));
      this.progress.confirm(batch);
      return true;
    } catch (error) {
      const apiError = ApiError.from(error);
      const isRefused = batch.size > 0 && apiError.code === "INVALID_ARGUMENT";
      if (isRefused) this.progress.refuse(batch);
      else this.progress.restore(batch);
      this.#session.onFailed(apiError, isRefused);
      return false;
    }
  }

  #nextAt(): number {
    if (this.#retryAt !== undefined) return this.#retryAt;
    const regular = this.#sentAt + this.#intervalMs(this.#session.heldCount() === 0 ? "idle" : "busy");
    const forProgress = this.progress.isEmpty ? Number.POSITIVE_INFINITY : this.#sentAt + PROGRESS_INTERVAL_MS;
    return Math.min(regular, forProgress, this.#askedAt);
  }

  #intervalMs(load: keyof typeof RENEWALS): number {
    return this.#session.leaseDurationMs / RENEWALS[load];
  }
}
