import { stringifyExact } from "../../manifest/exact.js";
import { yamlText } from "../../manifest/yaml.js";
import { printable } from "../printable.js";

// Both formats leave some control characters as they are, but only in strings in double quotes, where an escape means the same.

/** JSON that a terminal can only show. */
export function shownJson(value: unknown, indent?: number): string {
  return printable(stringifyExact(value, indent), true);
}

/** YAML that a terminal can only show. */
export function shownYaml(value: unknown): string {
  return printable(yamlText(value), true);
}
