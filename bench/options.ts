import { parseArgs } from "node:util";
import type { Effort } from "./compare.js";

/** What the command line says. */
export interface Options {
  /** Names of questions; empty: all. */
  readonly names: readonly string[];
  readonly effort: Effort;
  /** Whether the results are kept; quick ones never are. */
  readonly isKept: boolean;
  readonly isList: boolean;
}

/** Shown when the command line is wrong. */
export const USAGE = `usage: npm run bench -- [NAME]... [--quick] [--rounds N] [--seconds N]
       npm run bench -- --list

  --quick       one round of a second: says whether it works and roughly how fast; results are not kept
  --rounds N    rounds of every figure [3]
  --seconds N   length of a round [3]
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
      seconds: { type: "string", default: "3" },
      list: { type: "boolean", default: false },
    },
  });
  const { quick: isQuick, list: isList } = values;
  const effort = isQuick ? QUICK : { rounds: Number(values.rounds), seconds: Number(values.seconds) };
  for (const [name, value] of Object.entries(effort))
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a whole number of 1 or more`);
  return { names: positionals, effort, isKept: !isQuick, isList };
}
