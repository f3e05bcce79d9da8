import { expect, it } from "vitest";
import { metricsOf } from "../../src/controlloop/metrics.js";
import { createWorkerMetrics } from "../../src/dev/worker-metrics.js";

it("shows the metrics of control loops under the names of the field, nothing added to them", async () => {
  const { meter, text } = createWorkerMetrics();
  const metrics = metricsOf(meter);
  expect(metricsOf(meter)).toBe(metrics);
  metrics.reconcilerStarted("greeter", 16);
  metrics.passStarted("greeter")("success");
  metrics.passStarted("greeter")("error");
  metrics.panicked("greeter");
  const open = metrics.passStarted("greeter");
  const lines = (await text()).split("\n");
  open("success");

  const types = lines.filter((line) => line.startsWith("# TYPE ")).map((line) => line.slice(7));
  expect(types.sort()).toEqual([
    "controlloop_active_workers gauge",
    "controlloop_max_concurrent_reconciles gauge",
    "controlloop_reconcile_errors_total counter",
    "controlloop_reconcile_panics_total counter",
    "controlloop_reconcile_time_seconds histogram",
    "controlloop_reconcile_total counter",
    "workqueue_longest_running_processor_seconds gauge",
    "workqueue_unfinished_work_seconds gauge",
  ]);
  expect(lines).toEqual(
    expect.arrayContaining([
      'controlloop_reconcile_total{controller="greeter",result="success"} 1',
      'controlloop_reconcile_total{controller="greeter",result="error"} 1',
      'controlloop_reconcile_errors_total{controller="greeter"} 1',
      'controlloop_reconcile_panics_total{controller="greeter"} 1',
      'controlloop_reconcile_time_seconds_count{controller="greeter"} 2',
      'controlloop_reconcile_time_seconds_bucket{controller="greeter",le="300"} 2',
      'controlloop_active_workers{controller="greeter"} 1',
      'controlloop_max_concurrent_reconciles{controller="greeter"} 16',
    ]),
  );
  expect(lines.find((line) => line.startsWith("workqueue_unfinished_work_seconds{"))).toMatch(/name="greeter"} 0\.\d+/);
});
