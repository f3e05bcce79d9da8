import { skipString } from "./json-tokens.js";
import { cut, quote } from "./quote.js";

/** Where a scanner of JSON text is: per open container the index of the element, or ~offset of the member's key. */
export type JsonTrail = readonly number[];

/** The path that a trail leads to, for errors: `spec.ports[0]["a b"]`. `field` is its first word. */
export function jsonPath(field: string, text: string, trail: JsonTrail): string {
  return trail.reduce((path, step) => (step >= 0 ? `${path}[${step}]` : memberPath(path, keyAt(text, ~step))), field);
}

/** The path of a member: `.key`, or `["a key"]` when it is no identifier. */
export function memberPath(path: string, key: string): string {
  if (!IDENTIFIER.test(key)) return `${path}[${quote(key)}]`;
  return path === "" ? cut(key) : `${path}.${cut(key)}`;
}

/** The decoded key at `start`. When the key itself is what is wrong, as much of it as was read. */
function keyAt(text: string, start: number): string {
  const end = skipString(text, start);
  try {
    return JSON.parse(text.slice(start, end));
  } catch {
    // Not a valid string: the error being built is about it, so its raw text is the best name.
    return text.slice(start + 1, end);
  }
}

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;
