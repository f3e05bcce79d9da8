import { CODE, isDigit, isSpace, skipPunctuation, skipString, skipValue } from "./json-tokens.js";
import { JSON_DEPTH_MAX } from "./limits.js";
import { sameNumber } from "./same-number.js";

/**
 * Whether two valid JSON texts are the same value, null being the text `null`: objects have no order, numbers count exactly (1 is 1.0, no digit is
 * rounded away), strings by what their escapes stand for. The one answer to "did it change?", in the server and in clients.
 *
 * An object with one key twice, which an older server may have stored, equals only one with the same members: an apply of
 * what it is read as replaces it. What is nested much deeper than can be stored equals only its own text.
 *
 * Both texts are walked side by side and the first difference ends it, so texts that differ cost little.
 */
export function sameJson(a: string | null, b: string | null): boolean {
  return a === b || new Comparison(a ?? "null", b ?? "null").isSame();
}

/** A whole manifest, which has a spec in it, is compared too; what a client has not sent yet may be nested at will. */
const COMPARED_DEPTH_MAX = 2 * JSON_DEPTH_MAX;

/** Two texts and where in each the comparison is. */
class Comparison {
  readonly #a: string;
  readonly #b: string;
  #i = 0;
  #j = 0;

  constructor(a: string, b: string) {
    this.#a = a;
    this.#b = b;
  }

  isSame(): boolean {
    return this.#value(0);
  }

  /** Compares the values that begin here; when they are the same both places are behind them. */
  #value(depth: number): boolean {
    this.#skipSpace();
    const code = this.#a.charCodeAt(this.#i);
    const other = this.#b.charCodeAt(this.#j);
    if (code === CODE.openBrace) return other === code && this.#object(depth + 1);
    if (code === CODE.openBracket) return other === code && this.#array(depth + 1);
    if (code === CODE.quote) return other === code && this.#string();
    return this.#scalar();
  }

  #array(depth: number): boolean {
    if (!this.#enter(depth)) return false;
    for (;;) {
      const end = this.#end(CODE.closeBracket);
      if (end !== "none") return end === "both";
      if (!this.#value(depth)) return false;
      this.#skipComma();
    }
  }

  /** In the order of the texts as long as that is the same; the members from the first that differs on, by their keys. */
  #object(depth: number): boolean {
    if (!this.#enter(depth)) return false;
    for (;;) {
      const end = this.#end(CODE.closeBrace);
      if (end !== "none") return end === "both";
      const [i, j] = [this.#i, this.#j];
      if (!this.#string()) {
        [this.#i, this.#j] = [i, j];
        return this.#unordered(depth);
      }
      this.#skipColon();
      if (!this.#value(depth)) return false;
      this.#skipComma();
    }
  }

  #unordered(depth: number): boolean {
    const [members, i] = readMembers(this.#a, this.#i);
    const [others, j] = readMembers(this.#b, this.#j);
    if (members === undefined || others === undefined || members.size !== others.size) return false;
    for (const [key, start] of members) {
      const other = others.get(key);
      if (other === undefined) return false;
      [this.#i, this.#j] = [start, other];
      if (!this.#value(depth)) return false;
    }
    [this.#i, this.#j] = [i, j];
    return true;
  }

  #string(): boolean {
    const [start, other] = [this.#i, this.#j];
    this.#i = skipString(this.#a, start);
    this.#j = skipString(this.#b, other);
    const [text, otherText] = [this.#a.slice(start, this.#i), this.#b.slice(other, this.#j)];
    if (text === otherText) return true;
    return (text.includes("\\") || otherText.includes("\\")) && JSON.parse(text) === JSON.parse(otherText);
  }

  /** A number, or one of the three words. */
  #scalar(): boolean {
    const [start, other] = [this.#i, this.#j];
    this.#i = skipValue(this.#a, start);
    this.#j = skipValue(this.#b, other);
    const [text, otherText] = [this.#a.slice(start, this.#i), this.#b.slice(other, this.#j)];
    return text === otherText || (isNumber(text) && isNumber(otherText) && sameNumber(text, otherText));
  }

  #enter(depth: number): boolean {
    this.#i++;
    this.#j++;
    return depth <= COMPARED_DEPTH_MAX;
  }

  /** Whose container ends here; then both places are behind the bracket. */
  #end(bracket: number): "both" | "one" | "none" {
    this.#skipSpace();
    const ends = this.#a.charCodeAt(this.#i) === bracket;
    if (ends !== (this.#b.charCodeAt(this.#j) === bracket)) return "one";
    if (!ends) return "none";
    this.#i++;
    this.#j++;
    return "both";
  }

  #skipColon(): void {
    this.#skipSpace();
    this.#i++;
    this.#j++;
  }

  #skipComma(): void {
    this.#skipSpace();
    if (this.#a.charCodeAt(this.#i) === CODE.comma) this.#i++;
    if (this.#b.charCodeAt(this.#j) === CODE.comma) this.#j++;
  }

  #skipSpace(): void {
    while (isSpace(this.#a.charCodeAt(this.#i))) this.#i++;
    while (isSpace(this.#b.charCodeAt(this.#j))) this.#j++;
  }
}

/**
 * Where the value of each member begins, by key, and the offset behind the bracket that ends the object; no members when a
 * key is there twice. `from` is inside the object, where a member begins.
 */
function readMembers(text: string, from: number): readonly [ReadonlyMap<string, number> | undefined, number] {
  const members = new Map<string, number>();
  let [at, count] = [from, 0];
  for (; text.charCodeAt(at) !== CODE.closeBrace; count++) {
    const keyEnd = skipString(text, at);
    const start = skipPunctuation(text, keyEnd);
    members.set(JSON.parse(text.slice(at, keyEnd)), start);
    at = skipPunctuation(text, skipValue(text, start));
  }
  return [members.size === count ? members : undefined, at + 1];
}

function isNumber(literal: string): boolean {
  const code = literal.charCodeAt(0);
  return code === CODE.minus || isDigit(code);
}
