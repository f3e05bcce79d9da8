import type { Logger } from "pino";
import type { LeasedItem, PassReport } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { type ClientResource, readResource } from "../client/client-resource.js";
import type { ResourceClient } from "../client/resource-client.js";
import { describeKey } from "../resource/key.js";
import { abortable } from "../shared/abort.js";
import { describeError } from "./describe-error.js";
import { type HeldLease, LeaseLostError, PassDeadlineError, ShutdownError } from "./held-lease.js";
import type { ControlLoopMetrics, PassResultLabel } from "./metrics.js";
import { guardPanics } from "./panic-guard.js";
import { passContext } from "./pass-context.js";
import { PassDraft } from "./pass-draft.js";
import type { Reconciler } from "./reconciler.js";
import { checkOutcome, TerminalError } from "./result.js";

/** What passes of one control loop share. */
export interface PassEnvironment {
  readonly client: ResourceClient;
  readonly logger: Logger;
  readonly metrics: ControlLoopMetrics;
}

/**
 * Runs one pass and returns its report, or undefined when the lease was lost and nobody wants one.
 *
 * Never throws and always ends when the lease's signal aborts, whatever the reconciler does: a promise that never settles
 * keeps neither the slot nor the resource (I11). Only a loop that never yields cannot be stopped from inside its own
 * process; its leases run out and another worker takes over.
 */
export async function runPass(
  reconciler: Reconciler,
  item: LeasedItem,
  lease: HeldLease,
  environment: PassEnvironment,
): Promise<PassReport | undefined> {
  const draft = new PassDraft(item, reconciler.readyWhen);
  const ended = environment.metrics.passStarted(reconciler.name);
  const { result, report } = await attempt(reconciler, item, lease, draft, environment);
  ended(result);
  return report;
}

async function attempt(
  reconciler: Reconciler,
  item: LeasedItem,
  lease: HeldLease,
  draft: PassDraft,
  environment: PassEnvironment,
): Promise<{ readonly result: PassResultLabel; readonly report?: PassReport }> {
  const logger = environment.logger.child({
    controller: reconciler.name,
    resource: item.resource?.key && describeKey(item.resource.key),
  });
  const onPanic = (error: unknown) => {
    environment.metrics.panicked(reconciler.name);
    logger.error({ err: error }, "a failure escaped the pass");
    lease.abort(error);
  };
  const isDeleting = item.resource?.deletionRequestedAt !== undefined;
  try {
    lease.signal.throwIfAborted();
    const resource = readTyped(reconciler, item);
    const context = passContext({ item, resource, lease, draft, client: environment.client, logger });
    if (!isDeleting) void resource.spec; // an invalid one is found before anything is done
    const work = guardPanics(onPanic, () => reconciler.reconcile(resource, context));
    const outcome = checkOutcome(await abortable(work, lease.signal));
    return { result: outcome.type === "done" ? "success" : "requeue_after", report: draft.finished(outcome) };
  } catch (error) {
    if (error instanceof LeaseLostError) {
      logger.warn({ reason: error.message }, "pass stopped: its lease is lost");
      return { result: "lost" };
    }
    if (error instanceof ShutdownError) return { result: "released", report: draft.released() };
    if (error instanceof TerminalError && !isDeleting) {
      logger.warn({ reason: error.reason, error: error.message }, "pass failed for good");
      return { result: "terminal_error", report: draft.failedForGood(error) };
    }
    if (!(error instanceof Error || lease.signal.aborted)) environment.metrics.panicked(reconciler.name);
    if (error instanceof PassDeadlineError) logger.warn({ attempt: item.attempt }, "pass stopped: its deadline passed");
    else logger.warn({ err: error, attempt: item.attempt }, "pass failed");
    return { result: "error", report: draft.failed(error) };
  }
}

/** The resource, whose spec is checked at the first look; one that fails is a {@link TerminalError}. */
function readTyped(reconciler: Reconciler, item: LeasedItem): ClientResource {
  return readResource(item.resource, (spec) => {
    try {
      return reconciler.parseSpec === undefined ? spec : reconciler.parseSpec(spec);
    } catch (error) {
      if (error instanceof TerminalError) throw error;
      throw new TerminalError("InvalidSpec", describeError(error), { cause: error });
    }
  });
}
