import { setImmediate as nextTick } from "node:timers/promises";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Logger } from "pino";
import type { RegisterResponse } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { ApiError } from "../client/api-error.js";
import type { Connection } from "../client/connection.js";
import { pause, retryDelayMs } from "../client/retry.js";
import { HeldLease, LeaseLostError } from "./held-lease.js";
import { Reporter } from "./reporter.js";

/** A holder stops trusting its leases this much before the server may give them away (STYLE §4, I7). */
const TRUST_MARGIN_MS = 1_000;
/** What the server takes when a definition does not say; it says so in its answer. */
const DEFAULT_LEASE_DURATION_MS = 30_000;
/**
 * Renewals within one lease duration. While no lease is held there is nothing to lose but the registration, and every renewal is
 * a statement that an idle server has to send.
 */
const RENEWALS = { busy: 3, idle: 2 };
/** Below the 5 s after which the server returns a lease that a renewal does not list: a late one must not arrive then. */
const RENEW_TIMEOUT_MS = 4_000;
const NO_ANSWER = "the server has not answered a renewal in time";

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
  readonly #held = new Map<string, HeldLease>();
  readonly #ended = new AbortController();
  #trustedUntil = 0;
  #trustTimer: NodeJS.Timeout | undefined;

  /** `sentAt` is `performance.now()` from before the registration was sent. */
  constructor(api: Connection["reconcilers"], registered: RegisterResponse, sentAt: number, logger: Logger) {
    this.id = registered.sessionId;
    this.concurrency = registered.concurrency;
    this.#api = api;
    const { leaseDuration } = registered;
    this.#leaseDurationMs = leaseDuration === undefined ? DEFAULT_LEASE_DURATION_MS : durationMs(leaseDuration);
    this.#logger = logger;
    this.reporter = new Reporter(api, this, logger);
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
   * its way. `deadlineMs` counts from now.
   */
  hold(token: string, deadlineMs: number): HeldLease {
    const lease = new HeldLease(token, deadlineMs);
    this.#held.set(token, lease);
    if (this.signal.aborted) lease.abort(this.signal.reason);
    else if (performance.now() >= this.#trustedUntil) lease.abort(new LeaseLostError(NO_ANSWER));
    return lease;
  }

  /** The report of a lease has been answered, or nobody wants it. */
  letGo(lease: HeldLease): void {
    lease.settle();
    this.#held.delete(lease.token);
  }

  /** Renews and stays attached until the session ends. */
  async keep(): Promise<void> {
    await Promise.all([this.#stayAttached(), this.#keepRenewed()]);
  }

  /** Ends the session on this side; passes that still run have lost their leases. Twice is safe. */
  end(why: string): void {
    clearTimeout(this.#trustTimer);
    this.#loseAll(why);
    this.#ended.abort(new LeaseLostError(why));
  }

  /** Ends the session if `error` says that the server does not know it. */
  endIfUnknown(error: ApiError): void {
    if (error.reason !== "SESSION_NOT_FOUND" || this.signal.aborted) return;
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

  async #keepRenewed(): Promise<void> {
    const busyMs = this.#leaseDurationMs / RENEWALS.busy;
    const idleMs = this.#leaseDurationMs / RENEWALS.idle;
    for (let failures = 0, waitMs = idleMs; ; ) {
      await pause(waitMs, this.signal);
      if (this.signal.aborted) return;
      const sentAt = performance.now();
      try {
        await this.#renew(Math.round(Math.min(busyMs, RENEW_TIMEOUT_MS)));
        this.#trustFrom(sentAt);
        failures = 0;
        const intervalMs = this.#held.size === 0 ? idleMs : busyMs;
        waitMs = Math.max(0, intervalMs - (performance.now() - sentAt));
      } catch (error) {
        this.#note(ApiError.from(error), "renewal failed");
        waitMs = Math.min(retryDelayMs(++failures), busyMs);
      }
    }
  }

  async #renew(timeoutMs: number): Promise<void> {
    // A lease handed out in this tick is in our hands before the list is made.
    await nextTick();
    const request = { sessionId: this.id, leaseTokens: [...this.#held.keys()] };
    const { lostLeaseTokens } = await this.#api.renew(request, { timeoutMs, signal: this.signal });
    for (const token of lostLeaseTokens) this.#held.get(token)?.abort(new LeaseLostError("the server gave it away"));
  }

  /** Counted from before the renewal was sent, so a slow answer cannot leave two holders (I7). */
  #trustFrom(sentAt: number): void {
    clearTimeout(this.#trustTimer);
    if (this.signal.aborted) return;
    const marginMs = Math.min(TRUST_MARGIN_MS, this.#leaseDurationMs / 3);
    this.#trustedUntil = sentAt + this.#leaseDurationMs - marginMs;
    this.#trustTimer = setTimeout(() => this.#loseAll(NO_ANSWER), Math.max(0, this.#trustedUntil - performance.now()));
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
