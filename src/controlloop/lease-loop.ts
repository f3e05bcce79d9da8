import { setTimeout as sleep } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import pLimit from "p-limit";
import type { LeasedItem } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { ApiError, isUnavailable } from "../client/api-error.js";
import type { Connection } from "../client/connection.js";
import { pause, retryDelayMs } from "../client/retry.js";
import { abortable } from "../shared/abort.js";
import { timerMs } from "../shared/timer-limit.js";
import { ShutdownError } from "./held-lease.js";
import type { Reconciler } from "./reconciler.js";
import { type PassEnvironment, runPass } from "./run-pass.js";
import type { Session } from "./session.js";

const WAIT_MS = 30_000;
/** The answer to a long poll that found nothing is on its way for a moment too. */
const CALL_TIMEOUT_MS = WAIT_MS + 10_000;
/** After the grace: for the last reports, which say RELEASE. */
const LAST_REPORTS_MS = 1_000;

/**
 * Leases work and runs it, never more at once than the session's concurrency, until the session ends or `stopping`
 * aborts. Then: no new work, running passes get `graceMs`, the rest is released, and all reports are answered.
 */
export async function leaseLoop(
  api: Connection["reconcilers"],
  session: Session,
  reconciler: Reconciler,
  environment: PassEnvironment,
  stop: { readonly stopping: AbortSignal; readonly graceMs: number },
): Promise<void> {
  const limit = pLimit(session.concurrency);
  const running = new Set<Promise<void>>();
  const leasing = linked(session.signal, stop.stopping);

  const run = (item: LeasedItem) => {
    const lease = session.hold(item.leaseToken);
    if (stop.stopping.aborted) lease.abort(new ShutdownError());
    const pass = limit(async () => {
      try {
        const report = await runPass(reconciler, item, lease, environment);
        if (report !== undefined) await session.reporter.report(report);
      } catch (error) {
        // Not reported, so no renewal lists the lease and the server gives it to somebody else.
        environment.logger.error({ err: error }, "a pass ended without a report");
      } finally {
        session.letGo(lease);
      }
    });
    running.add(pass);
    void pass.then(() => running.delete(pass));
  };

  for (let failures = 0; !leasing.signal.aborted; ) {
    const free = session.concurrency - running.size;
    if (free === 0) {
      await abortable(Promise.race(running), leasing.signal).catch(() => {}); // woken by the stop: the loop's head sees it
      continue;
    }
    try {
      const request = { sessionId: session.id, maxItems: free, wait: durationFromMs(WAIT_MS) };
      const { items } = await api.lease(request, { signal: leasing.signal, timeoutMs: CALL_TIMEOUT_MS });
      items.forEach(run);
      failures = 0;
    } catch (error) {
      if (leasing.signal.aborted) break;
      const apiError = ApiError.from(error);
      session.endIfUnknown(apiError);
      session.noteLostAnswer();
      if (!isUnavailable(apiError)) environment.logger.warn({ err: apiError }, "lease call failed");
      await pause(retryDelayMs(++failures), leasing.signal);
    }
  }
  leasing.unlink();
  await drain(session, running, stop.graceMs);
}

async function drain(session: Session, running: ReadonlySet<Promise<void>>, graceMs: number): Promise<void> {
  const finished = () => Promise.all(running).then(() => {});
  const within = async (ms: number) => {
    const timer = new AbortController();
    await Promise.race([finished(), sleep(timerMs(ms), undefined, { signal: timer.signal })]);
    timer.abort();
  };
  await within(graceMs);
  for (const lease of session.held) lease.abort(new ShutdownError());
  await within(LAST_REPORTS_MS);
}

/** Aborts with either signal. By hand, because on Node 20 `AbortSignal.any` keeps its sources' dependants alive. */
function linked(a: AbortSignal, b: AbortSignal): { readonly signal: AbortSignal; unlink(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  if (a.aborted || b.aborted) abort();
  for (const signal of [a, b]) signal.addEventListener("abort", abort);
  return {
    signal: controller.signal,
    unlink: () => {
      for (const signal of [a, b]) signal.removeEventListener("abort", abort);
    },
  };
}
