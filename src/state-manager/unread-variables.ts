import { similarWord } from "../shared/similar-word.js";
import { SETTINGS } from "./config-settings.js";

/** A variable that looks as if it were for this program, which does not read it. */
export interface UnreadVariable {
  readonly variable: string;
  /** What to do about it; never its value. */
  readonly advice: string;
}

/** The command line has variables with this beginning, too. */
const SHARED_PREFIX = "RECONCILE";
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
  const similar = names.find((name) => name.startsWith(variable)) ?? similarWord(variable, names);
  if (similar !== undefined) return `did you mean ${similar}?`;
  if (variable.startsWith("AUTH_")) return "there is no authentication yet; unset it";
  return "no such setting; unset it, or see docs/operations.md for those there are";
}
