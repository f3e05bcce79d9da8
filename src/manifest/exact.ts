import { isLosslessNumber, LosslessNumber, parse, stringify } from "lossless-json";
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

/** For the `yaml` package: numbers in decimal are LosslessNumbers, both ways. There is no infinity in JSON, so none here. */
export function exactNumbers(tags: Tags): Tags {
  const others = tags.filter((tag) => typeof tag !== "object" || tag.tag !== "tag:yaml.org,2002:float");
  return [EXACT_NUMBER, ...others];
}

const EXACT_NUMBER = {
  tag: "tag:yaml.org,2002:float",
  default: true,
  test: /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/,
  identify: isLosslessNumber,
  resolve: (text: string) => new LosslessNumber(JSON_NUMBER.test(text) ? text : String(Number(text))),
  stringify: ({ value }: { readonly value?: unknown }) => String(value),
};

/** YAML also has `+1`, `.5`, `1.` and `007`. */
const JSON_NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/;
