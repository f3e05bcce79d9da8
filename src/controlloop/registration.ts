import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { type Duration, durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import type { Logger } from "pino";
import { ApiError, type ApiErrorCode } from "../client/api-error.js";
import type { Connection } from "../client/connection.js";
import { pause, retryDelayMs } from "../client/retry.js";
import type { Reconciler } from "./reconciler.js";
import { Session } from "./session.js";

/** Passes at once when a definition does not say; the server's default too. */
const DEFAULT_CONCURRENCY = 16;
const CALL_TIMEOUT_MS = 10_000;
/** Asking again cannot help: the definition or the caller's rights are wrong. */
const FINAL: ReadonlySet<ApiErrorCode> = new Set([
  "FAILED_PRECONDITION",
  "INVALID_ARGUMENT",
  "PERMISSION_DENIED",
  "UNAUTHENTICATED",
  "UNIMPLEMENTED",
]);
/** While another reconciler name has the kind: it may be a predecessor that is about to stop. */
const KIND_TAKEN_DELAY_MS = 2_000;

/** What a registration says. */
type Registration = ReturnType<typeof describeReconciler>;

/**
 * Registers a reconciler, waiting for the server and for a kind that is taken. Undefined when `signal` aborted first;
 * rejects with {@link ApiError} when the server refuses the registration for good.
 */
export async function register(
  api: Connection["reconcilers"],
  registration: Registration,
  logger: Logger,
  signal: AbortSignal,
): Promise<Session | undefined> {
  for (let failures = 0; !signal.aborted; ) {
    const sentAt = performance.now();
    try {
      const answer = await api.register(registration, { timeoutMs: CALL_TIMEOUT_MS, signal });
      logger.info({ session: answer.sessionId, kinds: registration.kinds.map(({ kind }) => kind) }, "registered");
      const { concurrency, passDeadline } = registration;
      const requested = { concurrency, passDeadlineMs: passDeadline && durationMs(passDeadline) };
      return new Session(api, answer, requested, sentAt, logger);
    } catch (error) {
      if (signal.aborted) return undefined;
      const apiError = ApiError.from(error);
      const isTaken = apiError.reason === "KIND_TAKEN";
      // What is at the address may be put right while the worker runs: a proxy, a name, the server itself.
      if (!isTaken && apiError.reason !== "WRONG_SERVER" && FINAL.has(apiError.code)) throw apiError;
      const delayMs = isTaken ? KIND_TAKEN_DELAY_MS : retryDelayMs(++failures);
      const { code, reason, message } = apiError;
      logger.warn({ code, reason, error: message, delayMs }, "not registered yet");
      await pause(delayMs, signal);
    }
  }
  return undefined;
}

/** The registration of one reconciler in one control loop. */
export function describeReconciler(reconciler: Reconciler, instanceId = uniqueInstanceId()) {
  const { name, resourceGroup, kind, finalizer = "", shardIds = [], concurrency = DEFAULT_CONCURRENCY } = reconciler;
  const { passesPerSecond = 0, burst = 0, kindConcurrency = 0 } = reconciler;
  const duration = <Name extends string>(
    field: Name,
    ms: number | undefined,
  ): { readonly [field in Name]?: Duration } => {
    if (ms === undefined) return {};
    if (!Number.isFinite(ms)) throw new RangeError(`${field}Ms of ${name} must be a number of milliseconds, not ${ms}`);
    // A computed name is a string to the compiler.
    return { [field]: durationFromMs(Math.round(ms)) } as { readonly [field in Name]: Duration };
  };
  return {
    name,
    instanceId,
    language: "typescript",
    kinds: [{ resourceGroup, kind }],
    shardIds: [...shardIds],
    concurrency,
    finalizer,
    passesPerSecond,
    burst,
    kindConcurrency,
    ...duration("leaseDuration", reconciler.leaseDurationMs),
    ...duration("resyncPeriod", reconciler.resyncPeriodMs),
    ...duration("passDeadline", reconciler.passDeadlineMs),
    ...duration("backoffBase", reconciler.backoffBaseMs),
    ...duration("backoffMax", reconciler.backoffMaxMs),
  };
}

/** Two workers that share an instance would fence each other in turn. */
function uniqueInstanceId(): string {
  return `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
}
