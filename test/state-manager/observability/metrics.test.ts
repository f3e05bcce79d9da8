import { describe, expect, test } from "vitest";
import { createMetrics } from "../../../src/state-manager/observability/metrics.js";
import { expectDocumented } from "../documented.js";

describe("createMetrics", () => {
  test("makes registries that do not share counts", async () => {
    const [one, two] = [createMetrics(), createMetrics()];
    one.watchEvents.inc({ source: "ring" }, 3);
    expect(await one.registry.getSingleMetricAsString("watch_events_total")).toContain('source="ring"} 3');
    expect(await two.registry.getSingleMetricAsString("watch_events_total")).not.toContain('source="ring"');
  });

  test("exposes the process's own metrics beside ours", async () => {
    const text = await createMetrics().registry.metrics();
    for (const name of ["process_cpu_seconds_total", "reconcile_request_duration_seconds", "workqueue_depth"]) {
      expect(text).toContain(`# TYPE ${name} `);
    }
  });

  test("docs/operations.md shows our metrics as they are declared", async () => {
    const { registry, ...metrics } = createMetrics();
    const rows = await Promise.all(
      Object.values(metrics).map(async (metric) => {
        const { name, type, help } = await metric.get();
        return [`\`${name}\``, String(type), labelsOf(metric), help];
      }),
    );
    await expectDocumented("metrics", ["metric", "type", "labels", "what it says"], rows);
  });
});

/** prom-client keeps the names, but does not declare that it does. */
function labelsOf(metric: object): string {
  const names = "labelNames" in metric && Array.isArray(metric.labelNames) ? metric.labelNames : [];
  return names.map((name) => `\`${name}\``).join(", ");
}
