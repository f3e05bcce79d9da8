/** Room for `0` to `10.5` in pixels, so that charts of small numbers stand alike. */
const LEAST = 38;
/** Between a number and the line it belongs to: uPlot's own gap, and a pixel for what measuring rounds. */
const GAP = 6;

/** How wide the axis must be for its longest number; `widthOf` measures one, in pixels. */
export function axisSize(numbers: readonly string[] | null, widthOf: (text: string) => number): number {
  return Math.max(LEAST, ...(numbers ?? []).map((text) => Math.ceil(widthOf(text)) + GAP));
}
