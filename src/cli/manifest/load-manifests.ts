import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { text } from "node:stream/consumers";
import { EXIT, Failure, usageError } from "../exit-codes.js";
import { keyText } from "../key-text.js";
import type { Cli } from "../terminal.js";
import { parseManifests } from "./parse-manifests.js";
import type { Manifest } from "./read-manifest.js";

const ENDINGS = [".yaml", ".yml", ".json"];

/**
 * Reads all manifests of files, of directories (with those below them) and, for `-`, of standard input, in that order. Nothing is
 * done by halves: with anything wrong anywhere it fails, and says all of it.
 */
export async function loadManifests(
  cli: Cli,
  paths: readonly string[],
  namespace: string,
): Promise<readonly Manifest[]> {
  const problems: string[] = [];
  const manifests: Manifest[] = [];
  for (const path of paths.flatMap(filesOf)) {
    const content = path === "-" ? await text(cli.stdin) : readFileSync(path, "utf8");
    const parsed = parseManifests(content, path === "-" ? "stdin" : path, namespace);
    manifests.push(...parsed.manifests);
    problems.push(...parsed.problems);
  }
  problems.push(...duplicates(manifests));
  if (problems.length > 0) throw new Failure("nothing was sent; correct the files first", EXIT.usage, problems);
  if (manifests.length === 0) throw usageError(`${paths.join(", ")}: there is no manifest in it`);
  return manifests;
}

function duplicates(manifests: readonly Manifest[]): readonly string[] {
  const seen = new Map<string, Manifest>();
  return manifests.flatMap((manifest) => {
    const first = seen.get(keyText(manifest.draft.key));
    seen.set(keyText(manifest.draft.key), first ?? manifest);
    if (first === undefined) return [];
    const { kind, name } = manifest.draft.key;
    return [`${manifest.source.atField("")}: ${kind}/${name} is declared already at ${first.source.atField("")}`];
  });
}

function filesOf(path: string): readonly string[] {
  if (path === "-") return [path];
  try {
    if (!statSync(path).isDirectory()) return [path];
    const names = readdirSync(path, { recursive: true, encoding: "utf8" }).sort();
    return names.filter((name) => ENDINGS.includes(extname(name))).map((name) => join(path, name));
  } catch (error) {
    throw usageError(
      `${path}: ${error instanceof Error && "code" in error ? (WORDS.get(error.code) ?? error.code) : error}`,
    );
  }
}

const WORDS: ReadonlyMap<unknown, string> = new Map([
  ["ENOENT", "there is no such file or directory"],
  ["EACCES", "may not be read"],
]);
