import { expect, test } from "vitest";
import { formatSpan } from "../../web/src/elements/format-span.js";

test.each([
  [0, "0s"],
  [999, "0s"],
  [59_999, "59s"],
  [60_000, "1m"],
  [130_000, "2m10s"],
  [600_000, "10m"],
  [3_599_999, "59m"],
  [5 * 3_600_000 + 60_000, "5h1m"],
  [86_400_000, "1d"],
  [3 * 86_400_000 + 4 * 3_600_000, "3d4h"],
  [12 * 86_400_000 + 4 * 3_600_000, "12d"],
  [-5, "0s"],
])("%d ms is %s", (ms, text) => {
  expect(formatSpan(ms)).toBe(text);
});
