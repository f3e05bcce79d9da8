/** The worker that the conformance program of workers runs to check this library. Told what to do by each resource's spec. */
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import {
  defineReconciler,
  done,
  type PassOutcome,
  type ReconcileContext,
  requeueAfter,
  runControlLoop,
} from "../../src/controlloop/index.js";

interface Spec {
  readonly action: string;
  readonly error?: string;
  readonly afterMs?: number;
  readonly ms?: number;
  readonly value?: string;
}

const { RECONCILE_SERVER: serverUrl, RECONCILE_INSTANCE: instanceId } = process.env;
if (!serverUrl || !instanceId) throw new Error("RECONCILE_SERVER and RECONCILE_INSTANCE must be set");

const worker = defineReconciler<Spec, object>({
  name: "conformance",
  resourceGroup: "conformance",
  kind: "task",
  concurrency: 4,
  ...milliseconds("passDeadlineMs", process.env.RECONCILE_PASS_DEADLINE_MS),
  ...milliseconds("leaseDurationMs", process.env.RECONCILE_LEASE_DURATION_MS),
  async reconcile({ generation, spec }, context) {
    const status = {
      generation: Number(generation),
      attempt: context.attempt,
      checkpoint: new TextDecoder().decode(context.checkpoint),
    };
    const outcome = await act(spec, status, context);
    context.setCondition("Ready", "True", "Done", "done");
    return outcome;
  },
});

async function act(spec: Spec, status: object, context: ReconcileContext): Promise<PassOutcome<object>> {
  switch (spec.action) {
    case "done":
      return done(status);
    case "fail":
      throw new Error(spec.error);
    case "requeue":
      return requeueAfter(spec.afterMs ?? 0, status);
    case "sleep":
      await wait(spec.ms, context.signal);
      return done(status);
    case "panic":
      // Nothing that the pass returns has to do with this, and it is no Error either.
      setImmediate(() => {
        throw { unusual: true };
      });
      return new Promise(() => {});
    case "checkpoint":
      void context.saveProgress({ message: "working", checkpoint: new TextEncoder().encode(spec.value) });
      await wait(spec.ms, context.signal);
      return done(status);
    default:
      throw new Error(`spec.action must be one of the conformance worker's, not ${spec.action}`);
  }
}

/** Ends early, without an error, when the pass must. */
async function wait(ms: number | undefined, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}

function milliseconds<Name extends string>(name: Name, text: string | undefined): { [name in Name]?: number } {
  // A computed name is a string to the compiler.
  return text ? ({ [name]: Number(text) } as { [name in Name]: number }) : {};
}

const loop = runControlLoop({
  serverUrl,
  instanceId,
  reconcilers: [worker],
  logger: pino(pino.destination({ fd: 2 })),
});
process.once("SIGTERM", () => void loop.stop());
await loop.finished;
