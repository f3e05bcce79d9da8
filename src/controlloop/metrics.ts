import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** 5 ms to 5 min, the default deadline of a pass. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** How a pass ended; `lost` and `released` passes are done again by the next holder. */
export type PassResultLabel = "success" | "requeue_after" | "error" | "terminal_error" | "released" | "lost";

/** The metrics of control loops. */
export type ControlLoopMetrics = ReturnType<typeof createMetrics>;

const created = new WeakMap<Registry, ControlLoopMetrics>();

/** The metrics in `registry`, created at the first call: control loops of one process share them. */
export function metricsIn(registry: Registry): ControlLoopMetrics {
  const metrics = created.get(registry) ?? createMetrics(registry);
  created.set(registry, metrics);
  return metrics;
}

function createMetrics(registry: Registry) {
  const registers = [registry];
  const labelNames = ["controller"] as const;
  return {
    /** `result`: a {@link PassResultLabel}. */
    reconciles: new Counter({
      name: "controlloop_reconcile_total",
      help: "Passes, by how they ended.",
      labelNames: ["controller", "result"] as const,
      registers,
    }),
    errors: new Counter({
      name: "controlloop_reconcile_errors_total",
      help: "Passes that failed, terminal errors and passed deadlines included.",
      labelNames,
      registers,
    }),
    panics: new Counter({
      name: "controlloop_reconcile_panics_total",
      help: "Failures that escaped a pass: unhandled rejections, exceptions in callbacks, thrown values that are no Error.",
      labelNames,
      registers,
    }),
    duration: new Histogram({
      name: "controlloop_reconcile_time_seconds",
      help: "Time of a pass.",
      labelNames,
      buckets: SECONDS,
      registers,
    }),
    activeWorkers: new Gauge({
      name: "controlloop_active_workers",
      help: "Passes running now.",
      labelNames,
      registers,
    }),
    maxConcurrentReconciles: new Gauge({
      name: "controlloop_max_concurrent_reconciles",
      help: "Passes that may run at once.",
      labelNames,
      registers,
    }),
  };
}
