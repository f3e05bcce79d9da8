import { isLosslessNumber, parse, stringify } from "lossless-json";
import type { Tags } from "yaml";

/**
 * Numbers are shown and sent as they were written (2.10): a 19-digit number in a manifest is that number in the store, and again
 * in `get -o yaml`. In values they are LosslessNumbers.
 *
 * Of a key that an object has twice the last value counts, as for JSON.parse: no server takes such a text any more, but older
 * ones did, and what they stored must be seen to be mended.
 */
export function parseExact(json: string): unknown {
  return parse(json, undefined, { onDuplicateKey: ({ newValue }) => newValue });
}

/** JSON text of a value, its numbers as they were written. */
export function stringifyExact(value: unknown, indent?: number): string {
  return stringify(value, undefined, indent) ?? "null"; // undefined stands for nothing that a manifest can hold
}

/**
 * For the `yaml` package: numbers in decimal are LosslessNumbers when they are written. When they are read only their text
 * counts (scalar-json.ts). `.inf` and `.nan` stay numbers, so that texts that look like them are quoted.
 */
export function exactNumbers(tags: Tags): Tags {
  return [EXACT_NUMBER, ...tags];
}

const EXACT_NUMBER = {
  tag: "tag:yaml.org,2002:float",
  default: true,
  test: /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/,
  identify: isLosslessNumber,
  resolve: Number,
  stringify: ({ value }: { readonly value?: unknown }) => String(value),
};
