import { type DomainError, invalidField } from "./errors.js";
import { jsonPath } from "./json-path.js";
import { CODE, skipString } from "./json-tokens.js";

/** Up to so many keys a scan over numbers costs less than filling a Set. */
const SMALL_OBJECT_KEYS = 16;
/** Numbers kept per key of such an object: one that equal keys share, and the key's offset. */
const NUMBERS_PER_KEY = 2;
const LARGE = SMALL_OBJECT_KEYS * NUMBERS_PER_KEY;

/**
 * The keys of the objects that a scanner of one JSON text is inside of, to find the second of two equal ones. Escapes are
 * resolved: `"a"` and `"\u0061"` are the same key.
 */
export class JsonKeys {
  readonly #text: string;
  /** Of all open objects, the innermost last; of one with many keys the first of them. */
  readonly #numbers: number[] = [];
  /** All keys of the open objects with many, by the objects' answers of `open`. */
  #large: Map<number, Set<string>> | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** Begins an object; the answer stands for it until `close`. */
  open(): number {
    return this.#numbers.length;
  }

  /** Adds the key between the quotes at `start` and `end` - 1. Answers false when the object has it already. */
  add(object: number, start: number, end: number, mayHaveEscape: boolean): boolean {
    const numbers = this.#numbers;
    if (numbers.length - object === LARGE) return this.#addToLarge(object, this.#keyAt(start, end, mayHaveEscape));
    const mark = mayHaveEscape ? markOf(this.#keyAt(start, end, true)) : markAt(this.#text, start + 1, end - 1);
    for (let place = object; place < numbers.length; place += NUMBERS_PER_KEY) {
      if (numbers[place] === mark && this.#keyAtPlace(place) === this.#keyAt(start, end, mayHaveEscape)) return false;
    }
    numbers.push(mark, start);
    return true;
  }

  /** Ends an object, the innermost one that is open. */
  close(object: number): void {
    if (this.#numbers.length - object === LARGE) this.#large?.delete(object);
    this.#numbers.length = object;
  }

  #addToLarge(object: number, key: string): boolean {
    this.#large ??= new Map();
    let keys = this.#large.get(object);
    if (keys === undefined) {
      keys = new Set();
      for (let i = 0; i < LARGE; i += NUMBERS_PER_KEY) keys.add(this.#keyAtPlace(object + i));
      this.#large.set(object, keys);
    }
    const count = keys.size;
    return keys.add(key).size > count;
  }

  #keyAtPlace(place: number): string {
    const start = this.#numbers[place + 1] ?? 0; // one was pushed with every mark
    return this.#keyAt(start, skipString(this.#text, start), true);
  }

  #keyAt(start: number, end: number, mayHaveEscape: boolean): string {
    const text = this.#text.slice(start + 1, end - 1);
    return mayHaveEscape && text.includes("\\") ? decoded(text) : text;
  }
}

function decoded(text: string): string {
  try {
    return JSON.parse(`"${text}"`);
  } catch {
    return text; // no JSON, as its reader is going to find out
  }
}

function markOf(key: string): number {
  return markAt(key, 0, key.length);
}

function markAt(text: string, start: number, end: number): number {
  const length = end - start;
  if (length === 0) return 0;
  const last = text.charCodeAt(end - 1);
  const middle = text.charCodeAt(start + (length >> 1));
  return (Math.imul(Math.imul(Math.imul(length, 31) + text.charCodeAt(start), 31) + middle, 31) + last) | 0;
}

/**
 * The path of the first key that an object of the text has twice; undefined when there is none. For texts whose values are
 * checked elsewhere or not at all: of one that is no JSON it may answer anything, and never throws.
 */
export function duplicateKey(field: string, text: string): string | undefined {
  const keys = new JsonKeys(text);
  /** Per open container: of an object its keys, of an array -1. */
  const objects: number[] = [];
  const trail: number[] = [];
  let isKey = false;
  for (let at = 0; at < text.length; at++) {
    const depth = objects.length - 1;
    switch (text.charCodeAt(at)) {
      case CODE.quote: {
        const end = skipString(text, at);
        if (isKey) {
          trail[depth] = ~at;
          if (!keys.add(objects[depth] ?? 0, at, end, true)) return jsonPath(field, text, trail);
          isKey = false;
        }
        at = end - 1;
        break;
      }
      case CODE.openBrace:
        objects.push(keys.open());
        trail.push(0);
        isKey = true;
        break;
      case CODE.openBracket:
        objects.push(-1);
        trail.push(0);
        break;
      case CODE.comma:
        isKey = objects[depth] !== -1;
        if (!isKey) trail[depth] = (trail[depth] ?? 0) + 1;
        break;
      case CODE.closeBrace:
      case CODE.closeBracket:
        isKey = false;
        if (depth < 0) return undefined;
        if (objects[depth] !== -1) keys.close(objects[depth] ?? 0);
        objects.pop();
        trail.pop();
        break;
    }
  }
  return undefined;
}

/** What is said of a key that an object has twice; `path` leads to it. */
export function duplicateKeyError(path: string): DomainError {
  return invalidField(path, "must not be given twice in one object; remove all but one");
}
