/** Reads the samples of a page: its fenced blocks, in order. */
import { readFileSync } from "node:fs";

/** The blocks of one language in a page of docs/. */
function samplesOf(page: string, language: string): readonly string[] {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), "utf8");
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].flatMap(([, name, body]) =>
    name === language && body !== undefined ? [body] : [],
  );
}

/** The sample that contains `words`. */
export function sampleWith(page: string, language: string, words: string): string {
  const found = samplesOf(page, language).filter((sample) => sample.includes(words));
  if (found[0] === undefined || found.length > 1)
    throw new Error(`docs/${page} has ${found.length} ${language} samples with ${JSON.stringify(words)}`);
  return found[0];
}

/** The JSON between the quotes of a shell command: what `'{` begins and `}'` ends. */
export function bodyIn(command: string): unknown {
  return JSON.parse(/'(\{[\s\S]*?\})'/.exec(command)?.[1] ?? "no body");
}

/**
 * The fields of a JSON value at every depth, as paths. An ellipsis stands for anything, and so does null: in a sample or an
 * answer it says that there is nothing to look at.
 */
export function fieldsOf(value: unknown, path = ""): readonly string[] {
  if (Array.isArray(value)) return fieldsOf(value[0], `${path}[]`);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, part]) => [`${path}.${name}`, ...fieldsOf(part, `${path}.${name}`)]);
}

/** Parses a sample in which `{…}` stands for an object. */
export function parseSample(text: string): unknown {
  return JSON.parse(text.replaceAll("{…}", "null"));
}
