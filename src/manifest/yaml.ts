import { stringify } from "yaml";
import { exactNumbers } from "./exact.js";

/** How YAML is read and written here: version 1.2, with merge keys, numbers as they are written. */
export const YAML_OPTIONS = { customTags: exactNumbers, merge: true, version: "1.2" } as const;

/** YAML text that reads back as the same value; texts of several lines stand as blocks, no line is folded. */
export function yamlText(value: unknown): string {
  return stringify(value, { ...YAML_OPTIONS, lineWidth: 0, aliasDuplicateObjects: false });
}
