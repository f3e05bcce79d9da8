import { createHistogram } from "node:perf_hooks";
import type { Figures } from "./compare.js";

/** Latencies in an HDR histogram, to three digits, from a microsecond to a minute. */
export class Latencies {
  readonly #histogram = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 });

  record(ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(ms * 1000)));
  }

  /** The median and the 99th percentile; `suffix` says of what. */
  figures(suffix = ""): Figures {
    const at = (percentile: number) => this.#histogram.percentile(percentile) / 1000;
    return { [`ms p50${suffix}`]: at(50), [`ms p99${suffix}`]: at(99) };
  }
}
