import { isLosslessNumber, parse } from "lossless-json";
import { type DomainError, invalidField } from "../../resource/errors.js";
import { duplicateKey, duplicateKeyError } from "../../resource/json-keys.js";
import { memberPath } from "../../resource/json-path.js";
import { cut } from "../../resource/quote.js";
import { sameNumber } from "../../resource/same-number.js";

/** Without `fatal`, broken UTF-8 would be stored as replacement characters. A byte order mark is skipped. */
const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** What an integer that a double may not hold looks like; a false alarm costs time only. */
const LONG_INTEGER = /[:[,]\s*-?[0-9]{16}/;

/**
 * The text of a message in Connect JSON. Throws INVALID_FIELD naming what the parser behind it would change in silence, an integer
 * beyond 2^53, or refuses without its path, a key that is given twice.
 */
export function decodeConnectJson(bytes: Uint8Array): string {
  const text = UTF8.decode(bytes);
  const path = duplicateKey("", text);
  if (path !== undefined) throw duplicateKeyError(path);
  if (LONG_INTEGER.test(text)) {
    const error = findRounded("", parseNumbers(text));
    if (error !== undefined) throw error;
  }
  return text;
}

/** Undefined when it is no JSON, or nested too deeply, which the parser behind this one says. */
function parseNumbers(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

/** Of decimals the nearest double is taken: most come from doubles, written with more digits than they have. */
function findRounded(path: string, value: unknown): DomainError | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (isLosslessNumber(value)) {
    const digits = value.value;
    const stored = String(Number(digits));
    if (!/^-?[0-9]+$/.test(digits) || stored.endsWith("Infinity") || sameNumber(stored, digits)) return undefined;
    const text = `must not be an integer of more digits than a double keeps (got ${cut(digits)}): write it in quotes, a spec as spec_json, a status as status_json`;
    return invalidField(path, text);
  }
  for (const [key, member] of Object.entries(value)) {
    const error = findRounded(Array.isArray(value) ? `${path}[${key}]` : memberPath(path, key), member);
    if (error !== undefined) return error;
  }
  return undefined;
}
