import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useIsDark } from "../shell/theme.js";
import { axisSize } from "./axis-size.js";

/** A small line over time. `times` are seconds since 1970. It takes its size and its colours from the element around it. */
export default function LineChart(props: {
  readonly times: readonly number[];
  readonly values: readonly (number | null)[];
  readonly label: string;
}) {
  const { times, values, label } = props;
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(undefined);
  const isDark = useIsDark();

  // biome-ignore lint/correctness/useExhaustiveDependencies: a canvas keeps the colours of the theme it was drawn in
  useEffect(() => {
    const around = holder.current?.parentElement;
    if (!around || holder.current === null) return;
    const { color, borderTopColor, outlineColor } = getComputedStyle(around);
    const size = () => ({ width: around.clientWidth, height: around.clientHeight });
    const drawn = new uPlot(
      options({ line: color, grid: borderTopColor, text: outlineColor }, size()),
      [[], []],
      holder.current,
    );
    chart.current = drawn;
    const resized = new ResizeObserver(() => drawn.setSize(size()));
    resized.observe(around);
    return () => {
      resized.disconnect();
      drawn.destroy();
      chart.current = undefined;
    };
  }, [isDark]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new chart is empty
  useEffect(() => {
    chart.current?.setData([[...times], [...values]]);
  }, [times, values, isDark]);

  return <div ref={holder} role="img" aria-label={label} />;
}

const AXIS_FONT = "11px system-ui";

/** The context's own font is in pixels of the screen, and another one before the first drawing. */
function measure(context: CanvasRenderingContext2D, text: string): number {
  context.save();
  context.font = AXIS_FONT;
  const { width } = context.measureText(text);
  context.restore();
  return width;
}

/** What is shown, up to now, in seconds. */
const SPAN_S = 5 * 60;

function options(
  colors: { readonly line: string; readonly grid: string; readonly text: string },
  size: { readonly width: number; readonly height: number },
): uPlot.Options {
  const { line, grid, text } = colors;
  return {
    ...size,
    legend: { show: false },
    cursor: { show: false },
    padding: [6, 0, 8, 0],
    scales: {
      x: { range: (_chart, _min, max) => [(max ?? 0) - SPAN_S, max ?? 0] },
      y: { range: (_chart, _min, max) => [0, Math.max(1, (max ?? 0) * 1.1)] },
    },
    axes: [
      { show: false },
      {
        size: (chart, numbers) => axisSize(numbers, (number) => measure(chart.ctx, number)),
        stroke: text,
        font: AXIS_FONT,
        space: 28,
        grid: { stroke: grid, width: 1 },
        ticks: { show: false },
      },
    ],
    series: [
      {},
      { stroke: line, width: 1.5, fill: `color-mix(in srgb, ${line} 12%, transparent)`, points: { show: false } },
    ],
  };
}
