import { invalidField } from "./errors.js";
import { NAME_MAX_CHARACTERS } from "./limits.js";
import { quote } from "./quote.js";
import { checkPriority, PRIORITY_ANNOTATION } from "./work-priority.js";

/** Throws INVALID_ARGUMENT unless `value` is a name: 1 to 255 code points of Unicode text without NUL. */
export function checkName(field: string, value: string): void {
  if (value === "") throw invalidField(field, "must not be empty");
  checkText(field, value);
  checkLength(field, value);
}

/**
 * Throws INVALID_ARGUMENT for a part of a new key that URLs cannot carry: `.` and `..` stand for folders, percent-encoded too, and
 * clients and proxies resolve them before they send. Those stored by older servers stay reachable over RPC.
 */
export function checkPathSegment(field: string, value: string): void {
  if (value !== "." && value !== "..") return;
  throw invalidField(field, `must not be "${value}": clients that normalise URLs could not reach it; choose another`);
}

/** Throws INVALID_ARGUMENT unless `value` can be stored and sent: Unicode text without NUL. */
export function checkText(field: string, value: string): void {
  if (value.includes("\0")) throw invalidField(field, "must not contain the NUL character; remove it");
  if (LONE_SURROGATE.test(value)) {
    throw invalidField(field, "must be Unicode text: it holds half of a surrogate pair; send both halves or neither");
  }
}

/** Checks one label. `=` separates key and value in selectors and on command lines, so neither may hold it. */
export function checkLabel(key: string, value: string): void {
  const field = `labels[${quote(key)}]`;
  checkMapKey(field, key);
  if (key.includes("=")) throw invalidField(field, 'must not have "=" in its key; rename it');
  if (value.includes("=")) throw invalidField(field, `must not have "=" in its value (got ${quote(value)})`);
  checkText(field, value);
  checkLength(field, value);
}

/** Checks one annotation: a key like any name, and a text of any length that fits the resource; ours take certain words. */
export function checkAnnotation(key: string, value: string): void {
  const field = `annotations[${quote(key)}]`;
  checkMapKey(field, key);
  checkText(field, value);
  if (key === PRIORITY_ANNOTATION) checkPriority(field, value);
}

/**
 * Checks finalizers. A name given twice is kept as sent: clients of the REST dialect may do so, and a removal releases
 * every copy.
 */
export function checkFinalizers(field: string, finalizers: readonly string[]): void {
  for (const [i, finalizer] of finalizers.entries()) checkName(`${field}[${i}]`, finalizer);
}

function checkMapKey(field: string, key: string): void {
  if (key === "") throw invalidField(field, "must have a key that is not empty");
  checkText(field, key);
  checkLength(field, key);
}

/** Counts code points, as people count, and not what is too long whatever they are: one takes at most two UTF-16 units. */
function checkLength(field: string, value: string): void {
  if (value.length <= NAME_MAX_CHARACTERS) return;
  if (value.length <= 2 * NAME_MAX_CHARACTERS && [...value].length <= NAME_MAX_CHARACTERS) return;
  throw invalidField(field, `must be at most ${NAME_MAX_CHARACTERS} characters long (got ${quote(value)}); shorten it`);
}

const LONE_SURROGATE = /\p{Surrogate}/u;
