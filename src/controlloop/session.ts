import { setImmediate as nextTick } from "node:timers/promises";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import type { Logger } from "pino";
import type { RegisterResponse } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { ApiError } from "../client/api-error.js";
import type { Connection } from "../client/connection.js";
import { pause, retryDelayMs } from "../client/retry.js";
import { timerMs } from "../shared/timer-limit.js";
import { HeldLease, LeaseLostError } from "./held-lease.js";
import { type ProgressBatch, wireProgress } from "./progress-outbox.js";
import { Renewals } from "./renewals.js";
import { Reporter } from "./reporter.js";

/** A holder stops trusting its leases this much before the server may give them away (STYLE §4, I7). */
const TRUST_MARGIN_MS = 1_000;
/** What the server takes when a definition does not say; it says so in its answer. */
const DEFAULTS = { leaseDurationMs: 30_000, passDeadlineMs: 300_000 };
/** Below the 5 s after which the server returns a lease that a renewal does not list: a late one must not arrive then. */
const RENEW_TIMEOUT_MS = 4_000;
/** After those 5 s: then a renewal returns the leases whose hand-out was lost on its way. */
const LOST_HAND_OUT_MS = 5_500;
const NO_ANSWER = "the server has not answered a renewal in time";

/** What was asked for at the registration; the server's answer says what is in force. */
export interface RequestedLimits {
  readonly concurrency: number;
  readonly passDeadlineMs: number | undefined;
}

/**
 * One registration while it lives: keeps it renewed and attached, holds its leases, sends its reports.
 *
 * It ends when the server does not know it any more, and its leases with it; the control loop then registers again.
 */
export class Session {
  readonly id: string;
  readonly concurrency: number;
  readonly reporter: Reporter;
  readonly #api: Connection["reconcilers"];
  readonly #logger: Logger;
  readonly #leaseDurationMs: number;
  readonly #passDeadlineMs: number;
  readonly #renewals: Renewals;
  readonly #held = new Map<string, HeldLease>();
  readonly #ended = new AbortController();
  #trustedUntil = 0;
  #trustTimer: NodeJS.Timeout | undefined;

  /** `sentAt` is `performance.now()` from before the registration was sent. */
  constructor(
    api: Connection["reconcilers"],
    registered: RegisterResponse,
    requested: RequestedLimits,
    sentAt: number,
    logger: Logger,
  ) {
    this.id = registered.sessionId;
    this.concurrency = registered.concurrency || requested.concurrency;
    this.#api = api;
    this.#leaseDurationMs = readMs(registered.leaseDuration) ?? DEFAULTS.leaseDurationMs;
    const inForceMs = readMs(registered.passDeadline) ?? requested.passDeadlineMs ?? DEFAULTS.passDeadlineMs;
    this.#passDeadlineMs = Math.min(inForceMs, requested.passDeadlineMs ?? inForceMs);
    this.#logger = logger;
    this.reporter = new Reporter(api, this, logger);
    this.#renewals = new Renewals(
      {
        leaseDurationMs: this.#leaseDurationMs,
        signal: this.signal,
        heldCount: () => this.#held.size,
        isHeld: (token) => this.#held.has(token),
        renew: (progress, timeoutMs) => this.#renew(progress, Math.min(timeoutMs, RENEW_TIMEOUT_MS)),
        onFailed: (error, isRefused) => {
          if (isRefused) this.#logger.error({ session: this.id, error: error.message }, "progress was refused");
          this.#note(error, "renewal failed");
        },
      },
      sentAt,
    );
    this.#trustFrom(sentAt);
  }

  /** Aborts when the session has ended, with a {@link LeaseLostError} that says why. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** The leases whose passes run or whose reports are on their way. */
  get held(): readonly HeldLease[] {
    return [...this.#held.values()];
  }

  /**
   * Takes a lease into the renewals; it is lost already while renewals go unanswered, and when the session ended while it was on
   * its way. The deadline of its pass counts from now.
   */
  hold(token: string): HeldLease {
    const lease = new HeldLease(token, this.#passDeadlineMs, (progress) => {
      const saved = this.#renewals.progress.save(token, progress);
      this.#renewals.wake();
      return saved;
    });
    this.#held.set(token, lease);
    if (this.signal.aborted) lease.abort(this.signal.reason);
    else if (performance.now() >= this.#trustedUntil) lease.abort(new LeaseLostError(NO_ANSWER));
    this.#renewals.wake();
    return lease;
  }

  /** The report of a lease has been answered, or nobody wants it. */
  letGo(lease: HeldLease): void {
    lease.settle();
    this.#held.delete(lease.token);
    this.#renewals.progress.drop(lease.token);
  }

  /** The answer to a Lease call was lost: what it handed out comes back with a renewal in some seconds, not at its deadline. */
  noteLostAnswer(): void {
    this.#renewals.renewWithin(LOST_HAND_OUT_MS);
  }

  /** Renews and stays attached until the session ends. */
  async keep(): Promise<void> {
    await Promise.all([this.#stayAttached(), this.keepRenewed()]);
  }

  /** Renews until the session ends, without telling the server at once when this process does. */
  async keepRenewed(): Promise<void> {
    await this.#renewals.run();
  }

  /** Ends the session on this side; passes that still run have lost their leases. Twice is safe. */
  end(why: string): void {
    clearTimeout(this.#trustTimer);
    this.#loseAll(why);
    this.#ended.abort(new LeaseLostError(why));
    this.#renewals.wake();
  }

  /** Ends the session if `error`, the answer to a call in its name, says that the server does not know it. */
  endIfUnknown(error: ApiError): void {
    const isUnknown = error.reason === "SESSION_NOT_FOUND" || (error.code === "NOT_FOUND" && error.reason === "");
    if (!isUnknown || this.signal.aborted) return;
    this.#logger.warn({ session: this.id }, "the server ended the session");
    this.end("the server ended the session");
  }

  /** The server takes the end of this stream for our end and waits 500 ms, so the first retry comes at once. */
  async #stayAttached(): Promise<void> {
    for (let failures = 0; !this.signal.aborted; ) {
      try {
        for await (const _ of this.#api.attach({ sessionId: this.id }, { signal: this.signal })) failures = 0;
      } catch (error) {
        this.#note(ApiError.from(error), "attach ended");
      }
      await pause(retryDelayMs(++failures), this.signal);
    }
  }

  async #renew(progress: ProgressBatch, timeoutMs: number): Promise<void> {
    const sentAt = performance.now();
    // A lease handed out in this tick is in our hands before the list is made.
    await nextTick();
    const leaseTokens = [...this.#held.keys()];
    // Of a lease that was let go meanwhile nobody wants to know.
    const current = new Map([...progress].filter(([token]) => this.#held.has(token)));
    const request = { sessionId: this.id, leaseTokens, progress: wireProgress(current) };
    const { lostLeaseTokens } = await this.#api.renew(request, { timeoutMs, signal: this.signal });
    for (const token of lostLeaseTokens) this.#held.get(token)?.abort(new LeaseLostError("the server gave it away"));
    this.#trustFrom(sentAt);
  }

  /** Counted from before the renewal was sent, so a slow answer cannot leave two holders (I7). */
  #trustFrom(sentAt: number): void {
    clearTimeout(this.#trustTimer);
    if (this.signal.aborted) return;
    const marginMs = Math.min(TRUST_MARGIN_MS, this.#leaseDurationMs / 3);
    this.#trustedUntil = sentAt + this.#leaseDurationMs - marginMs;
    this.#trustTimer = setTimeout(() => this.#loseAll(NO_ANSWER), timerMs(this.#trustedUntil - performance.now()));
  }

  #loseAll(why: string): void {
    for (const lease of this.#held.values()) lease.abort(new LeaseLostError(why));
  }

  #note(error: ApiError, message: string): void {
    if (this.signal.aborted) return;
    this.#logger.debug({ session: this.id, code: error.code, reason: error.reason, error: error.message }, message);
    this.endIfUnknown(error);
  }
}

/** Undefined when the server left it out. */
function readMs(duration: Duration | undefined): number | undefined {
  return duration === undefined ? undefined : durationMs(duration) || undefined;
}
