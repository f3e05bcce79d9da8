import { invalidField } from "../../resource/errors.js";
import { cut, quote } from "../../resource/quote.js";
import { similarWord } from "../../shared/similar-word.js";

/** A parameter as it stands in a URL: still percent-encoded. */
interface Parameter {
  readonly name: string;
  readonly value: string;
}

/**
 * The query of a route that takes the parameters `known`. Throws INVALID_FIELD for a parameter that is none of them, that is given
 * twice, or that is not percent-encoded UTF-8: a request is not answered as if it had not said what it says.
 */
export function strictQuery(search: string, known: readonly string[]): URLSearchParams {
  return decodeAll(parametersOf(search), known);
}

/**
 * The query of a write of the compatible dialect, which takes `known` and ignores other parameters, as existing clients expect.
 * Throws INVALID_FIELD as `strictQuery` does for one of `known` and for what looks like a misspelling of one: a write that was
 * meant as a dry run must not write.
 */
export function writeQuery(search: string, known: readonly string[]): URLSearchParams {
  const isOurs = (name: string | undefined) =>
    name !== undefined && (known.includes(name) || similarWord(name, known) !== undefined);
  return decodeAll(
    parametersOf(search).filter(({ name }) => isOurs(decoded(name))),
    known,
  );
}

function parametersOf(search: string): readonly Parameter[] {
  return search
    .split("&")
    .filter((part) => part !== "")
    .map((part) => {
      const end = part.includes("=") ? part.indexOf("=") : part.length;
      return { name: part.slice(0, end), value: part.slice(end + 1) };
    });
}

function decodeAll(parameters: readonly Parameter[], known: readonly string[]): URLSearchParams {
  const query = new URLSearchParams();
  for (const { name: encoded, value } of parameters) {
    const name = decode(cut(encoded), encoded);
    if (!known.includes(name)) throw invalidField(cut(name), unknownText(name, known));
    if (query.has(name)) throw invalidField(name, "must be given only once");
    query.append(name, decode(name, value));
  }
  return query;
}

function decode(field: string, text: string): string {
  const value = decoded(text);
  if (value !== undefined) return value;
  throw invalidField(field, `must be percent-encoded UTF-8 (got ${quote(text)}); write a percent sign as %25`);
}

/** A `+` is a space, as in forms. Undefined: not percent-encoded UTF-8. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

function unknownText(name: string, known: readonly string[]): string {
  if (known.length === 0) return "is not a parameter: this path takes none; remove it";
  const similar = similarWord(name, known);
  const suggestion = similar === undefined ? "" : `did you mean ${similar}? `;
  return `is not a parameter of this path; ${suggestion}it takes ${known.join(", ")}`;
}
