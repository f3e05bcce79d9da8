import { createTwoFilesPatch } from "diff";
import { printable } from "../printable.js";
import type { Output, Style } from "../terminal.js";

/** One side of a comparison. */
export interface DiffSide {
  readonly title: string;
  readonly text: string;
}

/** A unified diff, coloured where the output is; empty when both sides are the same. */
export function unifiedDiff(output: Output, before: DiffSide, after: DiffSide): string {
  if (before.text === after.text) return "";
  const patch = createTwoFilesPatch(before.title, after.title, before.text, after.text, "", "", { context: 3 });
  const lines = printable(patch, true).trimEnd().split("\n").slice(1); // the first is a line of =
  return lines.map((line) => `${paint(output, line)}\n`).join("");
}

function paint(output: Output, line: string): string {
  const style = STYLES.find(([start]) => line.startsWith(start))?.[1];
  return style === undefined ? line : output.style(style, line);
}

const STYLES: readonly (readonly [string, Style])[] = [
  ["---", "bold"],
  ["+++", "bold"],
  ["@@", "cyan"],
  ["-", "red"],
  ["+", "green"],
];
