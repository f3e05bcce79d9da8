import { parseArgs } from "node:util";
import type { Effort } from "./compare.js";

/** What the command line says. */
export interface Options {
  /** Names of questions; empty: all. */
  readonly names: readonly string[];
  readonly effort: Effort;
  /** Nothing is kept of a quick run, and what is large is a tenth as large. */
  readonly isQuick: boolean;
  readonly isList: boolean;
  /** The directory of an older, built checkout; undefined: none is measured. */
  readonly before: string | undefined;
}

/** Shown when the command line is wrong. */
export const USAGE = `usage: npm run bench -- [NAME]... [--quick] [--rounds N] [--seconds N]
       npm run bench -- --list

  --quick       one round of a second: says whether it works and roughly how fast; keeps no results
  --rounds N    rounds of every figure [3]
  --seconds N   length of a round [2]
  --before DIR  also measure the state-manager built in another checkout, in write, read, queue, watch and filters
  --list        print the questions`;

const QUICK: Effort = { rounds: 1, seconds: 1 };

/** Reads the command line. Throws an Error whose message says what is wrong. */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "2" },
      list: { type: "boolean", default: false },
      before: { type: "string" },
    },
  });
  const { quick: isQuick, list: isList, before } = values;
  const effort = isQuick ? QUICK : { rounds: Number(values.rounds), seconds: Number(values.seconds) };
  for (const [name, value] of Object.entries(effort))
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a whole number of 1 or more`);
  return { names: positionals, effort, isQuick, isList, before };
}
