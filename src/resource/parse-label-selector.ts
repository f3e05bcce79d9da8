import { type DomainError, invalidField } from "./errors.js";
import type { LabelSelector } from "./label-selector.js";
import { SELECTOR_MAX_CHARACTERS, SELECTOR_REQUIREMENTS_MAX } from "./limits.js";
import { checkText } from "./names.js";
import { cut, quote } from "./quote.js";

/**
 * Parses a label selector: requirements `key in (value, …)` separated by commas (grammar: docs/rest-api.md).
 *
 * Throws INVALID_ARGUMENT that says where and what to do; also for a blank text: leave the selector out to select everything.
 */
export function parseLabelSelector(text: string): LabelSelector {
  if (text.length > SELECTOR_MAX_CHARACTERS) {
    throw invalidField(
      FIELD,
      `must be at most ${SELECTOR_MAX_CHARACTERS} characters long (got ${text.length}); shorten it`,
    );
  }
  checkText(FIELD, text);
  return new SelectorParser(text).parse();
}

/** Reads tokens from left to right; each read also skips the white space behind the token. */
class SelectorParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): LabelSelector {
    this.#take(SPACE);
    if (this.#at === this.#text.length)
      throw invalidField(FIELD, "must not be blank; leave it out to select everything");
    const requirements = [];
    do {
      if (requirements.length === SELECTOR_REQUIREMENTS_MAX) {
        throw invalidField(FIELD, `must have at most ${SELECTOR_REQUIREMENTS_MAX} requirements; leave some out`);
      }
      requirements.push(this.#requirement());
    } while (this.#takes(","));
    if (this.#at < this.#text.length) throw this.#expected('"," or the end', "separate requirements by a comma");
    return { requirements };
  }

  #requirement(): LabelSelector["requirements"][number] {
    const key = this.#take(RUN);
    if (key === undefined) throw this.#expected("a label key", "a requirement reads: key in (value)");
    const at = this.#at;
    if (this.#take(RUN)?.toLowerCase() !== "in") {
      this.#at = at;
      throw this.#expected('"in"', `it is the only operator, as in: ${cut(key)} in (value)`);
    }
    if (!this.#takes("(")) throw this.#expected('"("', "put the values in parentheses");
    return { key, values: this.#values() };
  }

  /** A missing element is an empty value, so `()` holds one. */
  #values(): readonly string[] {
    const values = [];
    do values.push(this.#value());
    while (this.#takes(","));
    if (!this.#takes(")"))
      throw this.#expected('"," or ")"', "close the list, or quote a value that has other characters");
    return values;
  }

  #value(): string {
    if (this.#text[this.#at] !== '"') return this.#take(RUN) ?? "";
    const start = this.#at;
    const quoted = this.#take(QUOTED);
    if (quoted === undefined) throw this.#expected("a closed quotation", 'end the value with "');
    const value = quoted.slice(1, -1).replace(ESCAPE, (sequence: string, index: number) => {
      const decoded = decodeEscape(sequence);
      if (decoded !== undefined) return decoded;
      this.#at = start + 1 + index;
      throw this.#expected("an escape", String.raw`known are \" \\ \/ \b \f \n \r \t \uXXXX`);
    });
    checkText(FIELD, value);
    return value;
  }

  #takes(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    this.#take(SPACE);
    return true;
  }

  #take(token: RegExp): string | undefined {
    token.lastIndex = this.#at;
    const found = token.exec(this.#text)?.[0];
    if (found === undefined) return undefined;
    this.#at += found.length;
    if (token !== SPACE) this.#take(SPACE);
    return found;
  }

  #expected(what: string, remedy: string): DomainError {
    const character = this.#text.codePointAt(this.#at);
    const found = character === undefined ? "the end" : quote(String.fromCodePoint(character));
    return invalidField(FIELD, `must have ${what} at character ${this.#at + 1} (got ${found}): ${remedy}`);
  }
}

/** The escapes of JSON, and those that Go's `strconv.Quote` writes besides, as clients in Go quote with it. */
function decodeEscape(sequence: string): string | undefined {
  const simple = ESCAPED.get(sequence);
  if (simple !== undefined) return simple;
  const code = Number.parseInt(sequence.slice(2), 16);
  return sequence.length > 2 && code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}

const FIELD = "label_selector";
const SPACE = /\s*/y;
/** The characters of a key, of `in`, and of a value without quotes. */
const RUN = /[^\s"=!(),]+/y;
const QUOTED = /"(?:[^"\\]|\\.)*"/sy;
const ESCAPE = /\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-7][0-9a-fA-F]|.)/gs;
const ESCAPED = new Map([
  ['\\"', '"'],
  ["\\\\", "\\"],
  ["\\/", "/"],
  ["\\a", "\x07"],
  ["\\b", "\b"],
  ["\\f", "\f"],
  ["\\n", "\n"],
  ["\\r", "\r"],
  ["\\t", "\t"],
  ["\\v", "\v"],
]);
