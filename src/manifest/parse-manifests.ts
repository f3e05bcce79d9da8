import { type Document, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from "yaml";
import { type Complain, type Manifest, readManifest } from "./read-manifest.js";
import { ManifestSource, offsetOf } from "./source.js";
import { YAML_OPTIONS } from "./yaml.js";

/** What a text declares, and everything that is wrong with it. */
export interface Parsed {
  readonly manifests: readonly Manifest[];
  /** Each begins with `file:line:column: `; in the order of the text. */
  readonly problems: readonly string[];
}

/**
 * Reads YAML (any number of documents) or JSON, which is YAML too. A document is one manifest or a list of them; an empty one
 * counts for nothing. `namespace` is for manifests that name none.
 */
export function parseManifests(text: string, file: string, namespace: string): Parsed {
  const lines = new LineCounter();
  // For an empty text the package answers with an empty list that has marks of its own.
  const documents: readonly Document[] = parseAllDocuments(text, {
    ...YAML_OPTIONS,
    lineCounter: lines,
    prettyErrors: false,
  });
  const manifests: Manifest[] = [];
  const problems: { readonly offset: number; readonly text: string }[] = [];
  for (const document of documents) {
    for (const { pos, message } of document.errors) {
      const { line, col } = lines.linePos(pos[0]);
      problems.push({ offset: pos[0], text: `${file}:${line}:${col}: ${message}` });
    }
    const { contents, errors } = document;
    const isEmpty = contents === null || (isScalar(contents) && contents.value === null);
    if (errors.length > 0 || isEmpty) continue;
    for (const node of isSeq<Node>(contents) ? contents.items : [contents]) {
      const source = new ManifestSource(file, document, lines, node);
      const complain: Complain = (at, problem) =>
        problems.push({ offset: offsetOf(at), text: `${source.at(at)}: ${problem}` });
      const manifest = readManifest(source, namespace, complain);
      if (manifest !== undefined) manifests.push(manifest);
    }
  }
  problems.sort((a, b) => a.offset - b.offset);
  return { manifests, problems: problems.map(({ text }) => text) };
}
