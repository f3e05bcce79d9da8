import { expect, it } from "vitest";
import { axisSize } from "../../web/src/overview/axis-size.js";

/** Every character of the chart's font is about this wide. */
const widthOf = (text: string) => text.length * 6.5;

it("makes room for the longest number of the axis: 50,000 does not read 0,000", () => {
  expect(axisSize(["0", "50,000", "100,000"], widthOf)).toBeGreaterThanOrEqual(widthOf("100,000") + 5);
});

it("stays as it is for small numbers, and before there are any", () => {
  expect([axisSize(["0", "0.5", "1"], widthOf), axisSize(null, widthOf)]).toEqual([38, 38]);
});
