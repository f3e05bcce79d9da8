import { mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { writeFileDurably } from "../shared/durable-file.js";
import { usageError } from "./exit-codes.js";

/** A server and the defaults to use with it. */
export interface Context {
  readonly server: string;
  readonly namespace?: string | undefined;
  readonly group?: string | undefined;
}

/** What `reconcile config` keeps. */
export interface Contexts {
  /** Undefined: none is chosen. */
  readonly current?: string | undefined;
  /** By name. A Map: `__proto__` is a name like any other. */
  readonly contexts: ReadonlyMap<string, Context>;
}

/** `RECONCILE_CONFIG`, else `reconcile/config.json` where the XDG base directories say. */
export function contextFile(env: NodeJS.ProcessEnv): string {
  const home = env.XDG_CONFIG_HOME || join(env.HOME ?? homedir(), ".config");
  return env.RECONCILE_CONFIG || join(home, "reconcile", "config.json");
}

/** No file means no contexts. */
export function readContexts(env: NodeJS.ProcessEnv): Contexts {
  const file = contextFile(env);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (isMissing(error)) return { contexts: new Map() };
    throw usageError(`${file}: ${error instanceof Error ? error.message : error}`);
  }
  try {
    const found: unknown = JSON.parse(text);
    if (isContextFile(found)) return { current: found.current, contexts: new Map(Object.entries(found.contexts)) };
  } catch {
    // Said below: it is not what `reconcile config` writes.
  }
  throw usageError(`${file}: must be what "reconcile config" writes; correct it, or remove it to start over`);
}

/** Replaces the file; only its owner may read it. */
export function writeContexts(env: NodeJS.ProcessEnv, { current, contexts }: Contexts): void {
  const file = contextFile(env);
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileDurably(file, `${JSON.stringify({ current, contexts: Object.fromEntries(contexts) }, null, 2)}\n`);
  } catch (error) {
    const why = error instanceof Error && "code" in error ? error.code : error;
    throw usageError(`${file} cannot be written (${why}); RECONCILE_CONFIG names another file`);
  }
}

/** The context of that name, or the current one when none is named. */
export function chooseContext(env: NodeJS.ProcessEnv, name: string | undefined): Context | undefined {
  const { current, contexts } = readContexts(env);
  const chosen = name ?? current;
  if (chosen === undefined) return undefined;
  const context = contexts.get(chosen);
  if (context !== undefined) return context;
  const known = [...contexts.keys()].join(", ") || "none";
  throw usageError(`there is no context ${chosen} (known: ${known}); make it with "reconcile config set-context"`);
}

/** The file as it is written. */
interface ContextFile {
  readonly current?: string | undefined;
  readonly contexts: Readonly<Record<string, Context>>;
}

function isContextFile(found: unknown): found is ContextFile {
  if (typeof found !== "object" || found === null || !("contexts" in found)) return false;
  const { contexts } = found;
  if (typeof contexts !== "object" || contexts === null) return false;
  return Object.values(contexts).every((context) => typeof context?.server === "string");
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
