import { metrics as globalMetrics, type Meter, type ObservableResult } from "@opentelemetry/api";

/** 5 ms to 5 min, the default deadline of a pass. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** How a pass ended; `lost` and `released` passes are done again by the next holder. */
export type PassResultLabel = "success" | "requeue_after" | "error" | "terminal_error" | "released" | "lost";

/** The metrics of control loops, and what is done when. */
export interface ControlLoopMetrics {
  /** A reconciler runs, with at most so many passes at once. */
  reconcilerStarted(controller: string, concurrency: number): void;
  /** A pass begins; call what it returns when it has ended. */
  passStarted(controller: string): (result: PassResultLabel) => void;
  /** A failure escaped a pass, or it threw something that is no Error. */
  panicked(controller: string): void;
}

const created = new WeakMap<Meter, ControlLoopMetrics>();

/**
 * The metrics of `meter`, by default one of the global meter provider; control loops of one meter share them.
 *
 * Names are those of the field, in the form of Prometheus. Of the `workqueue_…` metrics a worker knows only what it holds:
 * the queue is the server's, and so are the others.
 */
export function metricsOf(meter: Meter = globalMetrics.getMeter("reconcile-toolkit/controlloop")): ControlLoopMetrics {
  const metrics = created.get(meter) ?? createMetrics(meter);
  created.set(meter, metrics);
  return metrics;
}

function createMetrics(meter: Meter): ControlLoopMetrics {
  const reconciles = meter.createCounter("controlloop_reconcile_total", { description: "Passes, by how they ended." });
  const errors = meter.createCounter("controlloop_reconcile_errors_total", {
    description: "Passes that failed, terminal errors and passed deadlines included.",
  });
  const panics = meter.createCounter("controlloop_reconcile_panics_total", {
    description:
      "Failures that escaped a pass: unhandled rejections, exceptions in callbacks, thrown values that are no Error.",
  });
  const duration = meter.createHistogram("controlloop_reconcile_time_seconds", {
    description: "Time of a pass.",
    advice: { explicitBucketBoundaries: SECONDS },
  });
  const activeWorkers = meter.createUpDownCounter("controlloop_active_workers", { description: "Passes running now." });
  const maxConcurrent = meter.createGauge("controlloop_max_concurrent_reconciles", {
    description: "Passes that may run at once.",
  });
  const running = new RunningPasses();
  meter
    .createObservableGauge("workqueue_unfinished_work_seconds", {
      description: "Time that running passes have taken so far, summed up.",
    })
    .addCallback((result) => running.observe(result, (ages) => ages.reduce((sum, age) => sum + age, 0)));
  meter
    .createObservableGauge("workqueue_longest_running_processor_seconds", {
      description: "Time that the oldest running pass has taken so far.",
    })
    .addCallback((result) => running.observe(result, (ages) => Math.max(0, ...ages)));
  return {
    reconcilerStarted: (controller, concurrency) => {
      maxConcurrent.record(concurrency, { controller });
      // Zero is something to show; without it a rate begins only with the second failure.
      for (const counter of [errors, panics]) counter.add(0, { controller });
      activeWorkers.add(0, { controller });
    },
    passStarted: (controller) => {
      const startedAt = performance.now();
      const pass = running.add(controller, startedAt);
      activeWorkers.add(1, { controller });
      return (result) => {
        running.remove(controller, pass);
        activeWorkers.add(-1, { controller });
        duration.record((performance.now() - startedAt) / 1_000, { controller });
        reconciles.add(1, { controller, result });
        if (result === "error" || result === "terminal_error") errors.add(1, { controller });
      };
    },
    panicked: (controller) => panics.add(1, { controller }),
  };
}

/** When the running passes of each controller began. */
class RunningPasses {
  readonly #startedAt = new Map<string, Set<{ readonly at: number }>>();

  add(controller: string, at: number): { readonly at: number } {
    const pass = { at };
    const passes = this.#startedAt.get(controller) ?? new Set();
    this.#startedAt.set(controller, passes.add(pass));
    return pass;
  }

  remove(controller: string, pass: { readonly at: number }): void {
    this.#startedAt.get(controller)?.delete(pass);
  }

  observe(result: ObservableResult, sum: (agesInSeconds: readonly number[]) => number): void {
    const now = performance.now();
    for (const [controller, passes] of this.#startedAt) {
      result.observe(sum([...passes].map(({ at }) => (now - at) / 1_000)), { name: controller });
    }
  }
}
