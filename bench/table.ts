import type { Cell, Row } from "./row.js";

/** The rows as a Markdown table, which reads well on a terminal too. */
export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ what, figure, ours, peers }) => [
    what,
    `${numberText(ours.median)} ${figure}`,
    `${Math.round(ours.spread * 100)} %`,
    peers.map(peerText).join(", "),
  ]);
  const lines = [["what", "ours", "spread", "peers (how many times better ours is)"], ...cells];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const [head = "", ...body] = lines.map(
    (line) => `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`,
  );
  return [head, `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...body].join("\n");
}

function peerText({ who, median, ratio }: Cell): string {
  return `${who} ${numberText(median)}${ratio === undefined ? "" : ` (${ratio.toFixed(2)}×)`}`;
}

function numberText(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
