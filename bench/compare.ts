import { type Row, rowOf } from "./row.js";
import type { Stage } from "./stage.js";

/** What one round measured, by figure. The unit ends the name: `/s` is better when higher, everything else when lower. */
export type Figures = Readonly<Record<string, number>>;

/** Who is measured: ours first, then its peers. */
export interface Contender {
  readonly who: string;
  /** Puts load on it for about so long. Throws when an answer is not what it should be: then a figure means nothing. */
  round(seconds: number): Promise<Figures>;
}

/** The same load on several contenders. */
export interface Comparison {
  readonly what: string;
  readonly contenders: readonly Contender[];
}

/** One file of `questions/`. */
export interface Question {
  /** How it is called on the command line. */
  readonly name: string;
  /** What it asks, and what its figures include. */
  readonly asks: string;
  /** Starts what it needs on the stage, which the runner clears afterwards, and yields what is to be compared. */
  compare(stage: Stage): AsyncIterable<Comparison>;
}

/** How long it is measured. */
export interface Effort {
  readonly rounds: number;
  /** Of a round. */
  readonly seconds: number;
}

const WARM_UP_SECONDS = 1;

/** A warm-up of every contender, then rounds in turn (A B A B …), so that noise of the machine hits all alike. */
export async function runComparison({ what, contenders }: Comparison, { rounds, seconds }: Effort): Promise<Row[]> {
  for (const contender of contenders) await contender.round(Math.min(seconds, WARM_UP_SECONDS));
  const measured = contenders.map(({ who }) => ({ who, rounds: [] as Figures[] }));
  for (let round = 0; round < rounds; round++)
    for (const [index, contender] of contenders.entries()) measured[index]?.rounds.push(await contender.round(seconds));
  const figures = new Set(measured.flatMap((each) => each.rounds.flatMap((round) => Object.keys(round))));
  return [...figures].map((figure) => rowOf(what, figure, measured));
}
