import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { parseManifests } from "../manifest/parse-manifests.js";
import { type Manifest, ownerKey } from "../manifest/read-manifest.js";
import { keyId } from "../resource/key.js";
import { EXIT, Failure, usageError } from "./exit-codes.js";
import { nameOf } from "./name-of.js";
import { choosePlace, type PlaceOptions } from "./place.js";
import type { Cli } from "./terminal.js";
import { utf8Text } from "./utf8-text.js";

const ENDINGS = [".yaml", ".yml", ".json"];

/**
 * Reads all manifests of files, of directories (not of those below them) and, for `-`, of standard input, in that order. Nothing is
 * done by halves: with anything wrong anywhere it fails, and says all of it.
 */
export async function loadManifests(
  cli: Cli,
  options: PlaceOptions & { readonly filename: readonly string[] },
): Promise<readonly Manifest[]> {
  const { filename: paths } = options;
  const { namespace } = choosePlace(cli.env, options);
  const problems: string[] = [];
  const manifests: Manifest[] = [];
  for (const path of paths.flatMap(filesOf)) {
    const content = utf8Text(path === "-" ? await buffer(cli.stdin) : readFileSync(path), labelOf(path));
    if ("problem" in content) {
      problems.push(content.problem);
      continue;
    }
    const parsed = parseManifests(content.text, labelOf(path), namespace);
    manifests.push(...parsed.manifests);
    problems.push(...parsed.problems);
  }
  problems.push(...contradictions(manifests));
  if (problems.length > 0) throw new Failure("nothing was sent; correct the files first", EXIT.usage, problems);
  if (manifests.length === 0) throw usageError(`${paths.map(labelOf).join(", ")}: there is no manifest in it`);
  return manifests;
}

/** What is wrong with manifests only together: one resource twice, owners in a circle. */
function contradictions(manifests: readonly Manifest[]): readonly string[] {
  const byKey = new Map<string, Manifest>();
  const duplicates = manifests.flatMap((manifest) => {
    const { key } = manifest.draft;
    const first = byKey.get(keyId(key));
    byKey.set(keyId(key), first ?? manifest);
    if (first === undefined) return [];
    return [`${placeOf(manifest)}: ${nameOf(key)} is declared already at ${placeOf(first)}`];
  });
  const circles = manifests.filter((manifest) => {
    const seen = new Set<Manifest>();
    let owner = byKey.get(ownerKey(manifest) ?? "");
    while (owner !== undefined && !seen.has(owner) && owner !== manifest) {
      seen.add(owner);
      owner = byKey.get(ownerKey(owner) ?? "");
    }
    return owner === manifest;
  });
  return [
    ...duplicates,
    ...circles.map(
      ({ source }) => `${source.atField("owner")}: owner leads back to this manifest; leave it out in one of them`,
    ),
  ];
}

function placeOf({ source }: Manifest): string {
  return source.atField("");
}

function labelOf(path: string): string {
  return path === "-" ? "stdin" : path;
}

function filesOf(path: string): readonly string[] {
  if (path === "-") return [path];
  try {
    if (!statSync(path).isDirectory()) return [path];
    const names = readdirSync(path).sort();
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
