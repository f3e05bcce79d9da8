import { type Document, isScalar, isSeq, type Node, parseAllDocuments } from "yaml";
import { Aliases } from "./aliases.js";
import { linesOf, type Piece, piecesOf, withoutByteOrderMarks } from "./pieces.js";
import { type Manifest, readManifest } from "./read-manifest.js";
import { tagProblem } from "./scalar-json.js";
import { ManifestSource, offsetOf, Places } from "./source.js";
import { YAML_OPTIONS } from "./yaml.js";

/** What a text declares, and everything that is wrong with it. */
export interface Parsed {
  readonly manifests: readonly Manifest[];
  /** Each begins with `file:line:column: `; in the order of the text. */
  readonly problems: readonly string[];
}

/**
 * Reads YAML (any number of documents) or JSON (any number of values, one behind another). A document is one manifest or a list of
 * them; an empty one counts for nothing. `namespace` is for manifests that name none.
 */
export function parseManifests(text: string, file: string, namespace: string): Parsed {
  const whole = withoutByteOrderMarks(text);
  const lines = linesOf(whole);
  const manifests: Manifest[] = [];
  const problems: { readonly offset: number; readonly text: string }[] = [];
  for (const piece of piecesOf(whole)) {
    const places = new Places(file, lines, piece.offset);
    const complain = (offset: number, problem: string) =>
      problems.push({ offset: offset + piece.offset, text: `${places.at(offset)}: ${problem}` });
    for (const document of documentsOf(piece, complain)) {
      const { contents, errors, warnings } = document;
      for (const { pos, message } of [...errors, ...warnings]) complain(pos[0], describeProblem(message));
      const isEmpty = contents === null || (isScalar(contents) && contents.value === null);
      if (errors.length + warnings.length > 0 || isEmpty) continue;
      const aliases = new Aliases(document);
      for (const node of isSeq<Node>(contents) ? contents.items : [contents]) {
        const source = new ManifestSource(places, aliases, node);
        const manifest = readManifest(source, namespace, (at, problem) => complain(offsetOf(at), problem));
        if (manifest !== undefined) manifests.push(manifest);
      }
    }
  }
  problems.sort((a, b) => a.offset - b.offset);
  return { manifests, problems: problems.map(({ text }) => text) };
}

function documentsOf({ text }: Piece, complain: (offset: number, problem: string) => void): readonly Document[] {
  try {
    // For an empty text the package answers with an empty list that has marks of its own.
    return parseAllDocuments(text, { ...YAML_OPTIONS, prettyErrors: false });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // the stack is used up
    complain(0, "must not be nested so deeply");
    return [];
  }
}

/** The package only warns of a tag that it does not know, or that does not fit, and takes the value as a string. */
function describeProblem(message: string): string {
  const tag = /^Unresolved tag: (.*)$/s.exec(message)?.[1];
  if (tag === undefined) return message;
  return tagProblem(tag) ?? `the value does not fit the tag ${tag}; remove one of them`;
}
