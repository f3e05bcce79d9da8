import { parseArgs } from "node:util";

/** What the command line says. */
export interface Options {
  /** The worker and its arguments; empty with `--list`. */
  readonly command: readonly string[];
  /** Names of the promises to check; empty: all. */
  readonly only: readonly string[];
  readonly jobs: number;
  readonly isList: boolean;
  readonly isTrace: boolean;
}

/** Shown when the command line is wrong. */
export const USAGE = `usage: main.js [--only NAME]... [--jobs N] [--trace] -- <worker command...>
       main.js --list

  --only NAME   check this promise; may be repeated, or names separated by commas
  --jobs N      promises checked at a time, each with a worker of its own [4]
  --trace       after a broken promise, show every call of the worker and its last words
  --list        print the promises`;

const DEFAULT_JOBS = 4;

/** Reads the command line. Throws an Error whose message says what is wrong. */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      only: { type: "string", multiple: true, default: [] },
      jobs: { type: "string", default: String(DEFAULT_JOBS) },
      list: { type: "boolean", default: false },
      trace: { type: "boolean", default: false },
    },
  });
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1)
    throw new Error(`--jobs must be a number of 1 or more, not "${values.jobs}"`);
  if (!values.list && positionals.length === 0) throw new Error("the worker's command is missing: put it after --");
  const only = values.only.flatMap((names) => names.split(","));
  return { command: positionals, only, jobs, isList: values.list, isTrace: values.trace };
}
