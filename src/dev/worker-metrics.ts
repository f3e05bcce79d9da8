import type { Meter } from "@opentelemetry/api";
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";

/** A meter, and what was measured with it in the text form of Prometheus. */
export interface WorkerMetrics {
  readonly meter: Meter;
  /** Read at each call. */
  text(): Promise<string>;
}

/** The metrics of the reconcilers in this process. The names are already those of Prometheus: nothing is added to them. */
export function createWorkerMetrics(): WorkerMetrics {
  const reader = new ReaderOnDemand();
  const provider = new MeterProvider({ readers: [reader] });
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  return {
    meter: provider.getMeter("reconcile-toolkit/controlloop"),
    text: async () => serializer.serialize((await reader.collect()).resourceMetrics),
  };
}

/** Collects when it is asked to; has nothing to flush or shut down. */
class ReaderOnDemand extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}
