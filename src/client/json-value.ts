import { memberPath } from "../resource/json-path.js";
import { JSON_DEPTH_MAX } from "../resource/limits.js";
import { cut } from "../resource/quote.js";
import { ApiError } from "./api-error.js";

/**
 * The JSON text of a value: JSON.stringify for what it writes exactly. A Map, a Date, NaN, undefined in a list and whatever else it
 * would turn into something different is refused with its path, as {@link ApiError} INVALID_ARGUMENT.
 *
 * A member that is undefined is left out, as TypeScript's optional properties mean it. `field` is the first word of the path.
 */
export function jsonText(field: string, value: unknown): string {
  new ValueChecker(field).check(value);
  return JSON.stringify(value);
}

class ValueChecker {
  readonly #field: string;
  readonly #trail: (string | number)[] = [];
  /** The containers that the value being checked is in. */
  readonly #open: object[] = [];

  constructor(field: string) {
    this.#field = field;
  }

  check(value: unknown): void {
    switch (typeof value) {
      case "string":
      case "boolean":
        return;
      case "number":
        if (Number.isFinite(value)) return;
        throw this.#refusal(`must be a finite number (got ${value}); JSON has no other: write null, or leave it out`);
      case "bigint":
        throw this.#refusal(
          `must not be a bigint (got ${cut(String(value))}n); write a number, or a string of its digits`,
        );
      case "object":
        if (value !== null) this.#container(value);
        return;
      default:
        throw this.#refusal(`must be a JSON value (got ${describeOther(value)}); write null, or leave it out`);
    }
  }

  #container(value: object): void {
    if (this.#open.includes(value)) throw this.#refusal("must not contain itself; write what identifies it instead");
    if (this.#open.length === JSON_DEPTH_MAX) {
      throw this.#refusal(`must not be nested deeper than ${JSON_DEPTH_MAX} levels`);
    }
    this.#open.push(value);
    if (Array.isArray(value)) {
      // By index: forEach passes over holes, which JSON.stringify fills with null.
      for (let i = 0; i < value.length; i++) this.#member(i, value[i]);
    } else if (isPlain(value)) {
      for (const [key, member] of Object.entries(value)) if (member !== undefined) this.#member(key, member);
    } else {
      const name = className(value);
      throw this.#refusal(
        `must be a plain object (got an instance of ${name}); write ${ADVICE.get(name) ?? "{ ...value }"}`,
      );
    }
    this.#open.pop();
  }

  #member(step: string | number, value: unknown): void {
    this.#trail.push(step);
    this.check(value);
    this.#trail.pop();
  }

  #refusal(problem: string): ApiError {
    const path = this.#trail.reduce<string>(
      (path, step) => (typeof step === "number" ? `${path}[${step}]` : memberPath(path, step)),
      this.#field,
    );
    return ApiError.invalid(path, problem);
  }
}

/** Objects of literals and of Object.create(null), of any realm: a test runner may have several. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function className(value: object): string {
  const made = value.constructor; // an own member of that name may be anything
  return typeof made === "function" && made.name !== "" ? cut(made.name) : "a class";
}

function describeOther(value: unknown): string {
  return typeof value === "undefined" ? "undefined" : `a ${typeof value}`;
}

const ADVICE: ReadonlyMap<string, string> = new Map([
  ["Map", "Object.fromEntries(map)"],
  ["Set", "[...set]"],
  ["Date", "date.toISOString()"],
  ["URL", "url.href"],
  ["RegExp", "regExp.source"],
  ["Error", "error.message"],
  ["TypeError", "error.message"],
  ["Promise", "its result: await it"],
  ["Buffer", 'buffer.toString("base64")'],
  ["Uint8Array", 'Buffer.from(bytes).toString("base64")'],
]);
