import type { Figures } from "./compare.js";

/** A figure of one contender: the median of its rounds, and how far they lay apart, as a part of the median. */
export interface Cell {
  readonly who: string;
  readonly median: number;
  readonly spread: number;
  /** How many times better ours is; absent for ours, and where one is next to nothing. */
  readonly ratio?: number;
}

/** The table shows less as nothing. */
const LEAST_COMPARED = 0.01;

/** One line of the table. */
export interface Row {
  readonly what: string;
  readonly figure: string;
  readonly ours: Cell;
  readonly peers: readonly Cell[];
}

/** What the contenders measured, as one row of the figure. The first that has the figure counts as ours. */
export function rowOf(
  what: string,
  figure: string,
  measured: readonly { readonly who: string; readonly rounds: readonly Figures[] }[],
): Row {
  const [ours, ...peers] = measured.flatMap(({ who, rounds }) => {
    const values = rounds.flatMap((round) => round[figure] ?? []).sort((a, b) => a - b);
    return values.length === 0 ? [] : [cellOf(who, values)];
  });
  if (ours === undefined) throw new Error(`nobody measured ${figure} of ${what}`);
  return { what, figure, ours, peers: peers.map((peer) => ({ ...peer, ...ratioOf(figure, ours, peer) })) };
}

function cellOf(who: string, sorted: readonly number[]): Cell {
  const [least = 0, most = 0] = [sorted[0], sorted.at(-1)];
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
  return { who, median, spread: median === 0 ? 0 : (most - least) / median };
}

function ratioOf(figure: string, ours: Cell, peer: Cell): Pick<Cell, "ratio"> {
  if (Math.min(ours.median, peer.median) < LEAST_COMPARED) return {};
  const [better, worse] = figure.endsWith("/s") ? [ours, peer] : [peer, ours];
  return { ratio: better.median / worse.median };
}
