import { SETTINGS } from "./config-settings.js";

/** A variable that looks as if it were for this program, which does not read it. */
export interface UnreadVariable {
  readonly variable: string;
  /** What to do about it; never its value. */
  readonly advice: string;
}

/** The command line has variables with this beginning, too. */
const SHARED_PREFIX = "RECONCILE";
const SUGGESTION_MAX_DISTANCE = 2;
/** What Kubernetes tells every container of a Service that is named `redis` or `database`. */
const SERVICE_LINK = /_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP|SCTP)(_|$)/;

/** Finds the variables of `env` that begin like settings and are none: misspelt ones, and those of the original system. */
export function unreadVariables(env: Readonly<Record<string, string | undefined>>): readonly UnreadVariable[] {
  const names = Object.keys(SETTINGS);
  const prefixes = new Set(names.map((name) => name.replace(/_.*/, "")));
  prefixes.delete(SHARED_PREFIX);
  return Object.keys(env)
    .filter((name) => env[name] && /_/.test(name) && prefixes.has(name.replace(/_.*/, "")))
    .filter((name) => !names.includes(name) && !SERVICE_LINK.test(name))
    .sort()
    .map((variable) => ({ variable, advice: adviceFor(variable, names) }));
}

function adviceFor(variable: string, names: readonly string[]): string {
  const similar = names.find(
    (name) => name.startsWith(variable) || distance(variable, name) <= SUGGESTION_MAX_DISTANCE,
  );
  if (similar !== undefined) return `did you mean ${similar}?`;
  if (variable.startsWith("AUTH_")) return "there is no authentication yet; unset it";
  return "no such setting; unset it, or see docs/operations.md for those there are";
}

/** Letters to add, drop or replace (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] ?? 0) + (letter === b[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
