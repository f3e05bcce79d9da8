import { JsonChecker } from "./json-checker.js";
import { skipPunctuation, skipString, skipValue } from "./json-tokens.js";

/**
 * Throws DomainError unless `text` is one JSON value that every part of the system can carry: at most 30 levels deep,
 * numbers within double range, no key twice in one object, no NUL, no lone surrogate, raw or escaped. `field` is the first word of the path in the error.
 * The size is not checked here (`checkFits`).
 */
export function checkJsonText(field: string, text: string): void {
  new JsonChecker(field, text).check();
}

/** A value's place in a text: from `start` up to, not including, `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The raw text of each top-level member of a JSON object; keys are decoded, of equal keys the last one counts. */
export function rawFields(text: string): ReadonlyMap<string, string> {
  return new Map(memberSpans(text).map(({ key, start, end }) => [key, text.slice(start, end)]));
}

/** The values of the top-level members of a JSON object, in order, duplicates included. `text` must be valid JSON. */
export function memberSpans(text: string): readonly (Span & { readonly key: string })[] {
  const members: (Span & { key: string })[] = [];
  let at = skipPunctuation(text, enter(text, "{"));
  while (text[at] !== "}") {
    const keyEnd = skipString(text, at);
    const key: string = JSON.parse(text.slice(at, keyEnd));
    const start = skipPunctuation(text, keyEnd);
    const end = skipValue(text, start);
    members.push({ key, start, end });
    at = skipPunctuation(text, end);
  }
  return members;
}

/** The elements of a JSON array. `text` must be valid JSON. */
export function elementSpans(text: string): readonly Span[] {
  const elements: Span[] = [];
  let start = skipPunctuation(text, enter(text, "["));
  while (start < text.length && text[start] !== "]") {
    const end = skipValue(text, start);
    elements.push({ start, end });
    start = skipPunctuation(text, end);
  }
  return elements;
}

/** The offset after the bracket that opens the text's only value. */
function enter(text: string, bracket: "{" | "["): number {
  const at = skipPunctuation(text, 0);
  if (text[at] !== bracket) throw new Error(`not a JSON ${bracket === "{" ? "object" : "array"}`);
  return at + 1;
}
